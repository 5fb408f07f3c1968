"""The ends of Darkroom's jobs as they are told, kept for who awaits them."""

import asyncio

from bench.jobs.systems.interface import JobFailed
from contracts.jobs import OPEN_STATES, JobEvent, JobState


class Ends:
    """A future for each job, made by whoever comes first: its end, or who waits for it."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Future[JobState]] = {}

    def hear(self, event: JobEvent) -> None:
        """Take note of an event."""
        end = self._of(event.job)
        if event.state not in OPEN_STATES and not end.done():
            end.set_result(event.state)

    def hear_text(self, text: str | bytes) -> None:
        """Take note of an event as it is pushed."""
        self.hear(JobEvent.model_validate_json(text))

    async def wait(self, job: str) -> None:
        """Return when the job has ended well. Raises JobFailed."""
        state = await self._of(job)
        if state is not JobState.SUCCEEDED:
            raise JobFailed(state)

    def _of(self, job: str) -> asyncio.Future[JobState]:
        if job not in self._ends:
            self._ends[job] = asyncio.get_running_loop().create_future()
        return self._ends[job]

"""The ends of Darkroom's jobs, collected from events for the tasks that await them."""

import asyncio

from bench.jobs.systems.interface import JobFailed
from contracts.jobs import OPEN_STATES, JobEvent, JobState


class JobEnds:
    """A future for each job; the job's end and its waiter may come in either order."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Future[JobState]] = {}

    def on_event(self, event: JobEvent) -> None:
        """Resolve the job's future when the event is its end."""
        end = self._of(event.job)
        if event.state not in OPEN_STATES and not end.done():
            end.set_result(event.state)

    def on_text(self, text: str | bytes) -> None:
        """Take an event as the gateway pushes it: JSON of a JobEvent."""
        self.on_event(JobEvent.model_validate_json(text))

    async def wait(self, job: str) -> None:
        """Return once the job has succeeded. Raises JobFailed when it ended otherwise."""
        state = await self._of(job)
        if state is not JobState.SUCCEEDED:
            raise JobFailed(state)

    def _of(self, job: str) -> asyncio.Future[JobState]:
        if job not in self._ends:
            self._ends[job] = asyncio.get_running_loop().create_future()
        return self._ends[job]

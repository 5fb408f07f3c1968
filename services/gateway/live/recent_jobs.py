"""Last events of the open jobs that this process has accepted, as its own reader has seen them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from contracts.jobs import OPEN_STATES, JobEvent

_MOST = 1000  # jobs, half a megabyte


class RecentJobs:
    """Spares the question to Redis for a client that watches the job it has just submitted.

    An event is here once the reader has passed it on, so a subscription that begins now receives
    each later one. A job that has ended is forgotten, and so is the oldest of more than a thousand:
    Redis is asked for these.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[str, JobEvent | None]] = {}

    @contextmanager
    def expect(self, project: str, job: str) -> Iterator[None]:
        """Follow a job that is stored within this context, unless that fails.

        The reader may see its first event before the context ends.
        """
        while len(self._jobs) >= _MOST:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job] = project, None
        try:
            yield
        except BaseException:
            self._jobs.pop(job, None)
            raise

    def on_event(self, event: JobEvent) -> None:
        """Keep the event if it is of such a job; forget a job that has ended."""
        if (known := self._jobs.get(event.job)) is None:
            return
        if event.state in OPEN_STATES:
            self._jobs[event.job] = known[0], event
        else:
            del self._jobs[event.job]

    def last_events(self, project: str, jobs: Iterable[str]) -> list[JobEvent]:
        """Return the last event of each job of a project; nothing unless all are known here.

        Redis may have later events than the reader: with such ones in between, the others would
        come in another order than that of their ids.
        """
        found = list[JobEvent]()
        for job in jobs:
            owner, event = self._jobs.get(job, ("", None))
            if event is None or owner != project:
                return []
            found.append(event)
        return found

    def clear(self) -> None:
        """Forget all jobs: the reader has missed events."""
        self._jobs.clear()

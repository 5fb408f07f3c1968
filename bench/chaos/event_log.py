"""The job events that one listener has received, in their order."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, KeysView

from contracts.jobs import OPEN_STATES, EventId, JobEvent, JobState
from services.gateway.live.subscription import position_of

BEGINNING = "0-0"


class EventLog:
    """Records every event, duplicates included; checks the ends of jobs."""

    def __init__(self) -> None:
        self.events: list[JobEvent] = []
        self.connections = 0
        self._ends: defaultdict[str, list[JobState]] = defaultdict(list)
        self._last_end = 0.0
        self._changed = asyncio.Event()

    def record(self, event: JobEvent) -> None:
        """Append an event."""
        self.events.append(event)
        if event.state not in OPEN_STATES:
            self._ends[event.job].append(event.state)
            self._last_end = time.monotonic()
        self._changed.set()

    @property
    def jobs(self) -> set[str]:
        """The ids of all jobs with an event."""
        return {event.job for event in self.events}

    @property
    def last(self) -> EventId:
        """The id of the last event: a listener resumes after it."""
        return self.events[-1].id or BEGINNING if self.events else BEGINNING

    def ended(self) -> KeysView[str]:
        """Return the ids of the jobs with an event of their end."""
        return self._ends.keys()

    def ids(self, job: str) -> list[str | None]:
        """Return the ids of one job's events."""
        return [event.id for event in self.events if event.job == job]

    async def wait_for_ends(self, jobs: Collection[str], *, seconds: float) -> None:
        """Return once all jobs have ended. Raises TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not set(jobs) <= self.ended():
                self._changed.clear()
                await self._changed.wait()

    def assert_one_end(self, jobs: Collection[str], state: JobState = JobState.SUCCEEDED) -> None:
        """Raise AssertionError unless each job has one event of an end, with `state`."""
        wrong = {job: self._ends.get(job) for job in jobs if self._ends.get(job) != [state]}
        assert not wrong, f"not exactly one end with state {state}: {wrong}"

    def seconds_since(self, started: float) -> float:
        """Return the seconds from `started` (of `time.monotonic`) to the last end received."""
        return self._last_end - started

    def longest_stall(self) -> float:
        """Return the longest time, in seconds by Redis's clock, without an end of any open job."""
        stalls, open_jobs, since = [0.0], set[str](), 0.0
        for event in self.events:
            now = position_of(event.id)[0] / 1000
            if event.state in OPEN_STATES:
                since = since if open_jobs else now
                open_jobs.add(event.job)
            elif event.job in open_jobs:
                stalls.append(now - since)
                open_jobs.discard(event.job)
                since = now
        return max(stalls)

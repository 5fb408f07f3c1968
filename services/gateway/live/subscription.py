"""The job events of one client: the jobs that it watches, and the events that wait to be sent."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from contracts.jobs import JobEvent

Position = tuple[int, int]
"""An event's place in the stream, which sorts: milliseconds, and a number within these."""

START: Position = (0, 0)


class Subscription:
    """Queues each event of each watched job once, in order; sets `dropped` when it is too slow.

    An event's id is its place in Redis's stream: an event at or before the last queued one of the
    same job is a repeat. `on_held` is called with each change of `held`.
    """

    def __init__(self, project: str, backlog: int, on_held: Callable[[int], None]) -> None:
        self.project = project
        self.jobs: dict[str, Position] = {}
        """The watched jobs, each with the position of its last queued event."""
        self.dropped = asyncio.Event()
        self._backlog = backlog
        self._limit = backlog  # of the queue: old events that were queued together don't count
        self._on_held = on_held
        self._events: deque[JobEvent] = deque()
        self._past: list[JobEvent] = []  # old events, while `catch_up` reads more
        self._delayed: deque[JobEvent] = deque()  # new events meanwhile
        self._catching_up = False
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()

    @property
    def held(self) -> int:
        """The number of events in memory for this client."""
        return len(self._events) + len(self._past) + len(self._delayed)

    def unwatched(self, jobs: Iterable[str]) -> set[str]:
        """Return those of some jobs that are not watched yet.

        A client may watch thousands, and name each further one in a message of its own: an
        operator of sets would read all of them each time.
        """
        return {job for job in jobs if job not in self.jobs}

    def drop(self) -> None:
        """Set `dropped`, and forget all events: the client has to connect again."""
        self.dropped.set()
        held = self.held
        for events in (self._events, self._past, self._delayed):
            events.clear()
        self._on_held(-held)

    def on_event(self, event: JobEvent) -> None:
        """Queue an event unless it is a repeat; drop the client when its queue is full."""
        if self.dropped.is_set():
            return
        queue, limit = self._events, self._limit
        if self._catching_up:
            queue, limit = self._delayed, self._backlog
        elif not self._is_new(event):
            return
        if len(queue) >= limit:
            self.drop()
            return
        queue.append(event)
        self._arrived.set()
        self._on_held(1)

    def skip_to(self, job: str, after: str | None) -> None:
        """Treat a job's events up to the id `after` as sent."""
        self.jobs[job] = max(self.jobs[job], position_of(after))

    async def wait_for_room(self) -> None:
        """Wait until the client has taken all but the usual backlog of its events."""
        while len(self._events) > self._backlog:
            self._taken.clear()
            await self._taken.wait()

    async def catch_up(self, past: AsyncIterator[Sequence[JobEvent]]) -> None:
        """Queue past events, and then the new ones that arrive while the past is read.

        All are queued in the order of their ids, whatever their job, so a client that is cut off
        can resume after the last one it received.
        """
        self._catching_up = True
        try:
            async for events in past:
                self._past += events
                self._on_held(len(events))
                if self.dropped.is_set():
                    return
        finally:
            self._catching_up = False
        for event in sorted(self._past, key=_position):
            self._is_new(event)  # else its repeat would be queued, too
        new = [event for event in self._delayed if self._is_new(event)]
        repeats = len(self._delayed) - len(new)
        self._limit = len(self._events) + len(self._past) + self._backlog
        self._events += sorted((*self._past, *new), key=_position)
        self._past.clear()
        self._delayed.clear()
        self._arrived.set()
        self._on_held(-repeats)

    async def next(self) -> JobEvent:
        """Wait for the next event and return it."""
        return (await self.next_ones(1))[0]

    async def next_ones(self, most: int) -> list[JobEvent]:
        """Wait for the next event; return it with those behind it that are here, up to `most`."""
        while not self._events:
            self._limit = self._backlog
            self._arrived.clear()
            await self._arrived.wait()
        taken = [self._events.popleft() for _ in range(min(most, len(self._events)))]
        self._taken.set()
        self._on_held(-len(taken))
        return taken

    def _is_new(self, event: JobEvent) -> bool:
        """Return whether an event is later than each one before it, and remember it if so."""
        last, position = self.jobs.get(event.job), position_of(event.id)
        if last is None or position <= last:
            return False
        self.jobs[event.job] = position
        return True


def _position(event: JobEvent) -> Position:
    return position_of(event.id)


def position_of(event_id: str | None) -> Position:
    """Return an event's place in the stream; before all others for an event without an id."""
    if event_id is None:
        return START
    milliseconds, number = event_id.split("-")
    return int(milliseconds), int(number)

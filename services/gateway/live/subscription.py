"""The job events of one client: the jobs that it watches, and the events that wait to be sent."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence

from contracts.jobs import JobEvent

Position = tuple[int, int]
"""An event's place in the stream, which sorts: milliseconds, and a number within these."""

START: Position = (0, 0)


class Subscription:
    """Queues each event of each watched job once, in order; sets `dropped` when it is too slow.

    An event's id is its place in Redis's stream: an event at or before the last queued one of the
    same job is a repeat.
    """

    def __init__(self, backlog: int) -> None:
        self.jobs: set[str] = set()
        self.dropped = asyncio.Event()
        self._backlog = backlog
        self._events: asyncio.Queue[JobEvent] = asyncio.Queue(backlog)
        self._taken = asyncio.Event()
        self._queued: defaultdict[str, Position] = defaultdict(lambda: START)
        self._delayed: list[JobEvent] | None = None  # new events while `catch_up` reads old ones

    def on_event(self, event: JobEvent) -> None:
        """Queue an event unless it is a repeat; drop the client when its queue is full."""
        if self._delayed is not None:
            self._delayed.append(event)
            # Twice the queue: catching up with other jobs can take as many events again.
            if len(self._delayed) > 2 * self._backlog:
                self.dropped.set()
        elif position_of(event.id) > self._queued[event.job]:
            self._queued[event.job] = position_of(event.id)
            if self._events.full():
                self.dropped.set()
            else:
                self._events.put_nowait(event)

    def skip_to(self, job: str, after: str | None) -> None:
        """Treat a job's events up to the id `after` as sent."""
        self._queued[job] = max(self._queued[job], position_of(after))

    async def catch_up(self, past: Awaitable[Sequence[JobEvent]]) -> None:
        """Queue past events, and then the new ones that arrive while the past is read.

        All past events are queued in the order of their ids, whatever their job, so a client that
        is cut off can resume after the last one it received. Waits while the queue is full.
        """
        delayed = self._delayed = []
        try:
            for event in sorted(await past, key=lambda event: position_of(event.id)):
                while self._events.full():
                    self._taken.clear()
                    await self._taken.wait()
                self._queued[event.job] = max(self._queued[event.job], position_of(event.id))
                self._events.put_nowait(event)
        finally:
            self._delayed = None
        for event in delayed:
            self.on_event(event)

    async def next(self) -> JobEvent:
        """Wait for the next event and return it."""
        event = await self._events.get()
        self._taken.set()
        return event


def position_of(event_id: str | None) -> Position:
    """Return an event's place in the stream; before all others for an event without an id."""
    if event_id is None:
        return START
    milliseconds, number = event_id.split("-")
    return int(milliseconds), int(number)

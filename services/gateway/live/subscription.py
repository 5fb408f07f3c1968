"""One reader of job events: what it watches, and what it has not been sent yet."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence

from contracts.jobs import JobEvent

Place = tuple[int, int]

START: Place = (0, 0)


class Watcher:
    """Gets each event of each job that it watches once, in order, or is told that it is too slow.

    Events are told apart by their ids, which are their places in Redis's stream.
    """

    def __init__(self, backlog: int) -> None:
        self.jobs: set[str] = set()
        self.too_slow = asyncio.Event()
        self._backlog = backlog
        self._events: asyncio.Queue[JobEvent] = asyncio.Queue(backlog)
        self._room = asyncio.Event()
        self._told: defaultdict[str, Place] = defaultdict(lambda: START)
        self._held: list[JobEvent] | None = None

    def tell(self, event: JobEvent) -> None:
        """Queue an event if it is news, or give the reader up."""
        if self._held is not None:
            self._held.append(event)
            # Others' jobs are caught up with meanwhile, which may take as many again.
            if len(self._held) > 2 * self._backlog:
                self.too_slow.set()
        elif place_of(event.id) > self._told[event.job]:
            self._told[event.job] = place_of(event.id)
            if self._events.full():
                self.too_slow.set()
            else:
                self._events.put_nowait(event)

    def resume(self, job: str, after: str | None) -> None:
        """Take what was told of a job up to an event for known."""
        self._told[job] = max(self._told[job], place_of(after))

    async def catch_up(self, events: Awaitable[Sequence[JobEvent]]) -> None:
        """Queue what has been told of some jobs before, and then what is told while that is read.

        In the order of their ids, so that whoever is cut off can resume after the last one it had.
        """
        held = self._held = []
        try:
            for event in sorted(await events, key=lambda event: place_of(event.id)):
                while self._events.full():
                    self._room.clear()
                    await self._room.wait()
                self._told[event.job] = max(self._told[event.job], place_of(event.id))
                self._events.put_nowait(event)
        finally:
            self._held = None
        for event in held:
            self.tell(event)

    async def next(self) -> JobEvent:
        """What is to be sent next."""
        event = await self._events.get()
        self._room.set()
        return event


def place_of(event_id: str | None) -> Place:
    """Where an event is among all; before every other for one that nobody published."""
    if event_id is None:
        return START
    milliseconds, number = event_id.split("-")
    return int(milliseconds), int(number)

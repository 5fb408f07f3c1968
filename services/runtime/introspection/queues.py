"""How much waits where, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from services.runtime.liveness.server_clock import Clock


@dataclass(frozen=True)
class Queue:
    """A stream or a list: how many wait or are in hand, and the seconds that the first has."""

    waiting: int
    age: float


class Queues:
    """Looks at the queues of some addresses. A list doesn't know its entries' age."""

    def __init__(
        self, redis: Redis, clock: Clock, *, lists: Sequence[str], streams: Sequence[str]
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._lists = lists
        self._streams = streams

    async def look(self) -> dict[str, Queue]:
        """Every queue as it is now, by address."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in self._lists:
                pipe.llen(name)
            for name in self._streams:
                pipe.xlen(name)
                pipe.xrange(name, count=1)
            answers = iter(await pipe.execute())
        queues = {name: Queue(next(answers), 0.0) for name in self._lists}
        for name in self._streams:
            queues[name] = Queue(next(answers), self._age(next(answers)))
        return queues

    def _age(self, first: Sequence[tuple[bytes, object]]) -> float:
        if not first:
            return 0.0
        added = int(first[0][0].partition(b"-")[0]) / 1000
        return round(max(0.0, self._clock.now() - added), 3)

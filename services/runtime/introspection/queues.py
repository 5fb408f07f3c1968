"""Length and age of the queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from contracts.methods import Method, Transport
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command


@dataclass(frozen=True)
class Queue:
    """State of a stream or a list."""

    waiting: Annotated[
        int, Field(description="Entries that wait and, in a stream, those that are being handled.")
    ]
    age: Annotated[
        float, Field(description="Seconds since the first entry was added; 0 for a list.")
    ]


class Queues:
    """Looks at the queues at some addresses."""

    def __init__(
        self, redis: RedisClient, clock: Clock, *, lists: Sequence[str], streams: Sequence[str]
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._lists = lists
        self._streams = streams

    @classmethod
    def of(
        cls, methods: Sequence[Method[Any, Any]], *streams: str, redis: RedisClient, clock: Clock
    ) -> "Queues":
        """Return the queues of `methods` and some additional streams."""
        return cls(
            redis,
            clock,
            lists=[method.address(Transport.LIST) for method in methods],
            streams=[*(method.address(Transport.STREAM) for method in methods), *streams],
        )

    async def look(self) -> dict[str, Queue]:
        """Return the present state of every queue, by address. Costs one round trip."""
        commands: list[Command] = [("LLEN", name) for name in self._lists]
        for name in self._streams:
            commands += [("XLEN", name), ("XRANGE", name, "-", "+", "COUNT", 1)]
        replies = iter(await self._redis.pipeline(commands))
        queues = {name: Queue(next(replies), 0.0) for name in self._lists}
        for name in self._streams:
            queues[name] = Queue(next(replies), self._age(next(replies)))
        return queues

    def _age(self, first: Sequence[tuple[bytes, object]]) -> float:
        if not first:
            return 0.0
        added = int(first[0][0].partition(b"-")[0]) / 1000
        return round(max(0.0, self._clock.now() - added), 3)

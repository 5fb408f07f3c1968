"""Run the commands of one turn of the event loop by one call of their script.

Renders end in batches, so several jobs end, and the next ones start, in the same turn. A call costs
Redis 10 us before its first command: it reads the arguments, and makes the script's functions.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from services.runtime.redis.client import RedisClient
from services.runtime.redis.reply_takers import give
from services.runtime.redis.scripts import Script

_MOST = 16  # commands of a call, which takes Redis half a millisecond

_Reply = asyncio.Future[Any]


class Gathering:
    """Calls a script that runs several commands; see commands.lua."""

    def __init__(self, redis: RedisClient, script: Script, keys: Sequence[str]) -> None:
        self._redis = redis
        self._script = script
        self._keys = keys
        self._waiting: list[tuple[_Reply, list[Any]]] = []

    async def run(self, command: str, *args: Any) -> Any:
        """Return a command's reply.

        Raises its error, what `RedisClient` raises, and TypeError or UnicodeEncodeError for an
        argument that can't be encoded.
        """
        loop = asyncio.get_running_loop()
        # Encoded here: what can't be must not fail the commands of others.
        encoded = [one if isinstance(one, bytes) else _encoded(one) for one in args]
        reply: _Reply = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._call)
        self._waiting.append((reply, [len(args) + 1, command, *encoded]))
        return await reply

    def _call(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _MOST):
            some = waiting[start : start + _MOST]
            args = [word for _, words in some for word in words]
            on_reply = partial(_give, [reply for reply, _ in some])
            try:
                self._redis.script_soon(self._script, self._keys, args, on_reply)
            except Exception as exc:
                # A bug, too, must reach the callers: they wait for a reply.
                on_reply(exc)


def _encoded(argument: Any) -> bytes:
    if isinstance(argument, str):
        return argument.encode()
    if isinstance(argument, int | float):
        return str(argument).encode()
    raise TypeError(f"Redis takes no {type(argument).__name__}.")


def _give(waiting: list[_Reply], replies: Any) -> None:
    """Give each command its reply, or the exception of the whole call."""
    if isinstance(replies, Exception):
        replies = [replies] * len(waiting)
    for reply, found in zip(waiting, replies, strict=True):
        give(found, reply)

"""Handing on: a request that this worker can't do goes to another, which replies to the caller.

It travels over the other worker's own channel, with its reply channel, deadline and trace. A
request is handed on once at most, so it can't go round in circles.
"""

from collections.abc import Iterable
from typing import Any

from faststream.message import StreamMessage

from services.runtime.faststream_adapter.message import address_of
from services.runtime.messaging.envelope import pack
from services.runtime.redis.client import RedisClient
from services.runtime.rpc.addresses import method_of, own_channel
from services.runtime.rpc.discarded import HandedOn

HANDED_ON = "x-handed-on"
"""Header of a request that another worker has handed on; the value is that worker's name."""


def is_handed_on(message: StreamMessage[Any]) -> bool:
    """Return whether another worker has handed the request on to this one."""
    return HANDED_ON in message.headers


async def hand_on(
    message: StreamMessage[Any], workers: Iterable[str], *, sender: str, redis: RedisClient
) -> None:
    """Send a request on to the first of `workers` that listens.

    Raises HandedOn, which ends the request here without a reply. Returns if nobody listens, and
    raises RedisError.
    """
    channel = method_of(address_of(message))
    data = pack(message.body, {**message.headers, HANDED_ON: sender})
    for worker in workers:
        if await redis.execute("PUBLISH", own_channel(channel, worker), data):
            raise HandedOn

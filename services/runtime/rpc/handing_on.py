"""Handing on: a request that this worker can't do goes to another, which replies to the caller.

It travels over the other worker's own channel, with its reply channel, deadline and trace. A
request is handed on once at most, so it can't go round in circles.

Handing back: a request that waits long for this worker returns to its stream, three times at most.
A worker that waits for entries may be given its own one again.
"""

from collections.abc import Iterable
from typing import Any

from faststream.message import StreamMessage
from redis.exceptions import RedisError

from contracts.methods import GROUP
from services.runtime.faststream_adapter.message import (
    address_of,
    deliveries_of,
    entry_of,
    from_stream,
)
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.messaging.envelope import pack
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.rpc.addresses import method_of, own_channel
from services.runtime.rpc.discarded import HandedOn

_HAND_BACK = load_script(__package__, "hand_back")

_HANDED_BACK = "x-handed-back"
"""Header of a request that was handed back; the value has a letter for each time."""
_TIMES = 3

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


async def hand_back(message: StreamMessage[Any], *, worker: str, redis: RedisClient) -> bool:
    """Put a request back at the end of its stream, for another worker than `worker`.

    Return True if it is there: the caller then has to raise HandedBack, which ends the request here
    without a reply. Return False for a request that came another way, that was handed back three
    times or delivered twice, without another living worker, and if Redis does not answer. In that
    last case it may be done twice.
    """
    before = message.headers.get(_HANDED_BACK, "")
    if not from_stream(message) or len(before) >= _TIMES or deliveries_of(message) > 1:
        return False
    data = pack(message.body, {**message.headers, _HANDED_BACK: before + "x"})
    stream = address_of(message)
    names = [keys.responders(stream), stream]
    try:
        done = await redis.script(
            _HAND_BACK, names, [GROUP, entry_of(message), worker, DATA_FIELD, data]
        )
    except (RedisError, OSError):
        return False
    return bool(done == 1)

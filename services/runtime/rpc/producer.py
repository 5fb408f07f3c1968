"""How a request leaves this process: `broker.request` without a connection for each call."""

import asyncio
import time
from itertools import count
from typing import Any

import structlog
from faststream.redis.message import DATA_KEY, PubSubMessage
from faststream.redis.publisher.producer import RedisFastProducer
from faststream.redis.response import DestinationType, RedisPublishCommand

from contracts.control import CONTROL, Cancel
from contracts.errors import DeadlineExceeded, NoWorkers, Overloaded
from services.runtime.liveness.heartbeat import responders_key, rooms_key
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.envelope import Envelope
from services.runtime.messaging.outbox import Outbox
from services.runtime.redis.client import LOST, redis_errors
from services.runtime.redis.multiplexer import Multiplexer, Then
from services.runtime.redis.scripts import Script
from services.runtime.retry_after import RetryAfter
from services.runtime.rpc.addresses import own_channel
from services.runtime.rpc.deadlines import deadline_header, remaining
from services.runtime.rpc.reply_inbox import ReplyInbox
from services.runtime.telemetry.tracing import trace_headers

log = structlog.get_logger(__name__)

_RESPONDERS = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
local rooms, room = {}, 0
if #names > 0 then
  rooms = redis.call('HMGET', KEYS[2], unpack(names))
end
for i, has in ipairs(rooms) do
  rooms[i] = tonumber(has) or 0
  room = room + rooms[i]
end
"""

# One round trip. Nobody alive to take it: 0. More waiting than those who live have room for: how
# much that is, negative. Either way nothing is left behind.
_PUSH_IF_SERVED = Script(
    _RESPONDERS
    + """
if #names == 0 then
  return 0
end
local length = ARGV[1] == 'list' and 'LLEN' or 'XLEN'
local waiting = redis.call(length, KEYS[3])
if waiting >= 4 * room then
  return -waiting
end
if ARGV[1] == 'list' then
  redis.call('RPUSH', KEYS[3], ARGV[2])
else
  redis.call('XADD', KEYS[3], '*', ARGV[3], ARGV[2])
end
return 1
"""
)

# To one worker alone, so that nobody has to claim it: to each as often as it has room, and to the
# next where that one has just gone. Without a heartbeat known, to whoever hears the channel.
_PUBLISH_TO_ONE = Script(
    _RESPONDERS
    + """
local place, chosen = ARGV[2] * room, 1
while chosen < #names and place >= rooms[chosen] do
  place = place - rooms[chosen]
  chosen = chosen + 1
end
for i = 0, #names - 1 do
  local name = names[(chosen - 1 + i) % #names + 1]
  if redis.call('PUBLISH', KEYS[3] .. ARGV[3] .. name, ARGV[1]) > 0 then
    return 1
  end
end
return redis.call('PUBLISH', KEYS[3], ARGV[1])
"""
)

_GOLDEN = 0.618033988749895


class ReplyInboxProducer(RedisFastProducer):
    """FastStream's producer with requests answered through the process's one inbox."""

    def __init__(
        self,
        wire: Multiplexer,
        inbox: ReplyInbox,
        outbox: Outbox,
        clock: Clock,
        pace: RetryAfter,
        **faststream: Any,
    ) -> None:
        super().__init__(**faststream)
        self._wire = wire
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock
        self._pace = pace
        # Steps of the golden ratio visit every worker evenly, whatever room each has.
        self._turns = (number * _GOLDEN % 1 for number in count())

    async def request(self, cmd: RedisPublishCommand) -> Any:
        """Publish, and wait for the reply at most `cmd.timeout` seconds.

        A call made while a request is handled gets no more time than that request has left.
        Raises NoWorkers, Overloaded, Unavailable, DeadlineExceeded.
        """
        timeout = 30.0 if cmd.timeout is None else cmd.timeout
        left = remaining()
        if left is not None:
            timeout = min(timeout, left)
        started = time.monotonic()
        with self._inbox.expect() as (reply_to, reply):
            data = await self._ask(cmd, reply_to, reply, timeout)
        self._pace.observe((time.monotonic() - started) / (1 + self._inbox.outstanding))
        return PubSubMessage(type="message", channel=reply_to, data=data, pattern=None)

    async def _ask(
        self, cmd: RedisPublishCommand, reply_to: str, reply: asyncio.Future[bytes], timeout: float
    ) -> bytes:
        message = await self._enveloped(
            cmd, reply_to, {**trace_headers(), **deadline_header(timeout, self._clock)}
        )
        try:
            self._send(cmd, message, reply)
            # And not asyncio.timeout, whose one cancellation can get lost on its way.
            await asyncio.wait([reply], timeout=timeout)
        except asyncio.CancelledError:
            # At its own deadline a worker stops by itself, but nobody can know whose this was.
            self._outbox.publish_soon(Cancel(subject=reply_to), channel=CONTROL)
            raise
        if not reply.done():
            raise DeadlineExceeded(f"No answer within {timeout:g} s.")
        return reply.result()

    def _send(self, cmd: RedisPublishCommand, message: bytes, reply: asyncio.Future[bytes]) -> None:
        """Send the request. Where nobody takes it, that is the reply."""

        def settle(sent: asyncio.Future[Any]) -> None:
            refusal = self._refusal(sent)
            if refusal is not None and not reply.done():
                reply.set_exception(refusal)

        self._wire.start(*self._push(cmd, message), settle)

    def _refusal(self, sent: asyncio.Future[Any]) -> Exception | None:
        try:
            with redis_errors():
                taken = int(sent.result())
        except Exception as exc:
            return exc
        if taken < 0:
            wait = self._pace.wait(-taken)
            return Overloaded("More waits already than can be served.", retry_after=wait)
        if taken == 0:
            return NoWorkers("No worker is running; try again soon.", retry_after=5)
        return None

    async def publish(self, cmd: RedisPublishCommand) -> Any:
        """Publish, together with what else is published at this moment."""
        if cmd.pipeline is not None:
            return await super().publish(cmd)
        message = await self._enveloped(cmd, cmd.reply_to, {})
        match cmd.destination_type:
            case DestinationType.Channel:
                return await self._wire.execute("PUBLISH", cmd.destination, message)
            case DestinationType.List:
                return await self._wire.execute("RPUSH", cmd.destination, message)
            case DestinationType.Stream:
                trim = () if cmd.maxlen is None else ("MAXLEN", "~", cmd.maxlen)
                return await self._wire.execute(
                    "XADD", cmd.destination, *trim, "*", DATA_KEY, message
                )

    async def reply(self, cmd: RedisPublishCommand) -> None:
        """Send a reply, and once more if it was lost with its connection.

        Nothing is done twice by that, for a caller takes the first of two. Nobody waits for it: a
        task that did would be woken for nothing.
        """
        message = await self._enveloped(cmd, cmd.reply_to, {})

        def publish(then: Then) -> None:
            self._wire.post("PUBLISH", cmd.destination, message).add_done_callback(then)

        def settle(sent: asyncio.Future[Any]) -> None:
            if isinstance(sent.exception(), LOST):
                publish(_complain)
            else:
                _complain(sent)

        publish(settle)

    async def _enveloped(
        self, cmd: RedisPublishCommand, reply_to: str, headers: dict[str, str]
    ) -> bytes:
        # Not by cmd.message_format: a RedisResponse brings FastStream's own, which is slower.
        return await Envelope.encode(
            message=cmd.body,
            reply_to=reply_to,
            headers={**cmd.headers, **headers},
            correlation_id=cmd.correlation_id or "",
            serializer=self.serializer,
            codec=self.codec,
        )

    def _push(
        self, cmd: RedisPublishCommand, message: bytes
    ) -> tuple[Script, list[str], list[Any]]:
        address = cmd.destination
        keys = [responders_key(address), rooms_key(address), address]
        if cmd.destination_type is DestinationType.Channel:
            return _PUBLISH_TO_ONE, keys, [message, next(self._turns), own_channel("", "")]
        kind = "list" if cmd.destination_type is DestinationType.List else "stream"
        return _PUSH_IF_SERVED, keys, [kind, message, DATA_KEY]


def _complain(sent: asyncio.Future[Any]) -> None:
    if (exc := sent.exception()) is not None:
        log.warning("reply lost", reason=str(exc))

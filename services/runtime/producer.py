"""How a request leaves this process: `broker.request` without a connection for each call."""

import asyncio
import time
from typing import Any

from faststream.redis.message import DATA_KEY, PubSubMessage
from faststream.redis.publisher.producer import RedisFastProducer
from faststream.redis.response import DestinationType, RedisPublishCommand
from redis.asyncio import Redis

from contracts.errors import DeadlineExceeded, NoWorkers
from services.runtime.connection import redis_errors
from services.runtime.inbox import Inbox
from services.runtime.presence import responders_key

# One round trip: nobody alive to take it, and nothing is left behind.
_PUSH_IF_SERVED = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZCOUNT', KEYS[1], now, '+inf') == 0 then
  return 0
end
if ARGV[1] == 'list' then
  redis.call('RPUSH', KEYS[2], ARGV[2])
else
  redis.call('XADD', KEYS[2], '*', ARGV[3], ARGV[2])
end
return 1
"""


class InboxProducer(RedisFastProducer):
    """FastStream's producer with requests answered through the process's one inbox."""

    def __init__(self, redis: Redis, inbox: Inbox, **faststream: Any) -> None:
        super().__init__(**faststream)
        self._redis = redis
        self._inbox = inbox
        self._push_if_served = redis.register_script(_PUSH_IF_SERVED)

    async def request(self, cmd: RedisPublishCommand) -> Any:
        """Publish, and wait for the reply at most `cmd.timeout` seconds.

        Raises NoWorkers, Unavailable, DeadlineExceeded.
        """
        timeout = cmd.timeout if cmd.timeout is not None else 30.0
        deadline = time.time() + timeout
        try:
            async with asyncio.timeout(timeout):
                with self._inbox.expect() as (reply_to, reply):
                    message = await cmd.message_format.encode(
                        message=cmd.body,
                        reply_to=reply_to,
                        headers={**cmd.headers, "x-deadline": str(int(deadline * 1000))},
                        correlation_id=cmd.correlation_id or "",
                        serializer=self.serializer,
                        codec=self.codec,
                    )
                    async with redis_errors():
                        served = await self._send(cmd, message)
                    if not served:
                        raise NoWorkers("No worker is running; try again soon.", retry_after=5)
                    data = await reply
        except DeadlineExceeded:
            raise
        except TimeoutError as exc:
            raise DeadlineExceeded(f"No answer within {timeout:g} s.") from exc
        return PubSubMessage(type="message", channel=reply_to, data=data, pattern=None)

    async def _send(self, cmd: RedisPublishCommand, message: bytes) -> int:
        if cmd.destination_type is DestinationType.Channel:
            return int(await self._redis.publish(cmd.destination, message))
        kind = "list" if cmd.destination_type is DestinationType.List else "stream"
        keys = [responders_key(cmd.destination), cmd.destination]
        return int(await self._push_if_served(keys=keys, args=[kind, message, DATA_KEY]))

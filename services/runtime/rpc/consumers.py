"""The consumers of a process: one for each address that it serves."""

from typing import Any

from contracts.methods import GROUP
from services.runtime.capacity import Capacity
from services.runtime.liveness.heartbeat import Heartbeat
from services.runtime.messaging.channel_consumer import ChannelConsumer
from services.runtime.messaging.list_consumer import ListConsumer
from services.runtime.messaging.stream_consumer import StreamConsumer
from services.runtime.redis.client import RedisClient
from services.runtime.rpc.addresses import own_channel
from services.runtime.settings import RuntimeSettings


class Consumers:
    """Makes the consumers of one worker."""

    def __init__(
        self, redis: RedisClient, settings: RuntimeSettings, worker: str, heartbeat: Heartbeat
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._worker = worker
        self._heartbeat = heartbeat

    def of_channel(self, channel: str, capacity: Capacity) -> ChannelConsumer:
        """Return a consumer of a channel, and of the worker's own channel beside it."""
        return ChannelConsumer(
            channel,
            own_channel(channel, self._worker),
            capacity,
            self._redis,
            graceful_timeout=self._settings.graceful_timeout,
        )

    def of_list(self, address: str, capacity: Capacity) -> ListConsumer:
        """Return a consumer of a list."""
        return ListConsumer(
            address, capacity, self._redis, graceful_timeout=self._settings.graceful_timeout
        )

    def of_stream(self, stream: str, capacity: Capacity, **hooks: Any) -> StreamConsumer:
        """Return a consumer of a stream; `hooks` are further arguments of `StreamConsumer`."""
        return StreamConsumer(
            stream,
            GROUP,
            self._worker,
            capacity,
            self._heartbeat,
            redis=self._redis,
            graceful_timeout=self._settings.graceful_timeout,
            max_deliveries=self._settings.max_deliveries,
            unknown_version_wait=self._settings.unknown_version_wait,
            **hooks,
        )

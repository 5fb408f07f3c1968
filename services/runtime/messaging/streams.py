"""Streams: a member of a consumer group that loses nothing, and a reader that misses nothing.

As FastStream has it a group's member stops for good when the group vanishes, never acknowledges
what failed, and leaves what a dead member had where it is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import structlog
from faststream.redis import RedisMessage, StreamSub
from faststream.redis.message import DefaultStreamMessage
from faststream.redis.subscriber.usecases import LogicSubscriber, StreamSubscriber
from redis.exceptions import RedisError, ResponseError

from services.runtime.liveness.heartbeat import Heartbeat, alive
from services.runtime.messaging.subscribers import POLL, Resilient
from services.runtime.redis.scripts import Script
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_LEFT_BEHIND = 1000  # entries that are looked at in one go

_HELD_UP = 5.0  # seconds since the last read, after which entries may have been trimmed unread

# Together, so that an entry is never the one without the other; and only by who has it, for one
# that was taken over is not done with.
DONE_WITH = Script("""
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3]) == 0 then
  return 0
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
""")

# A consumer with nothing pending is removed; one that has just been given something is not.
_FORGET_IDLE = Script("""
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if consumer[2] == ARGV[2] and consumer[4] == 0 then
    return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  end
end
""")


class _Stream(Resilient, StreamSubscriber):
    @property
    def stream_sub(self) -> StreamSub:
        """Where it reads. FastStream copies this anew at each look, which is many a message."""
        return self._stream_sub


class ResilientStreamSubscriber(_Stream):
    """A member of a consumer group that acknowledges and deletes what is done with.

    What dead members left behind is taken over; they are known by their missing heartbeat, so a
    slow one that lives keeps what it has, however long it takes.
    """

    presence: Heartbeat

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ids: set[bytes] = set()
        self._undertaker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the group, made if it isn't there, from the stream's beginning."""
        self.parser._setup(self.redis, self._stream_sub.group)
        await self._create_group()
        # Past StreamSubscriber.start, which would make the group at the stream's end.
        await LogicSubscriber.start(self)
        self._undertaker = asyncio.create_task(self._take_over_from_the_dead())

    async def stop(self) -> None:
        """Leave the group, unless something is left for others to take over."""
        await end(self._undertaker)
        await super().stop()
        await self._forget(self._consumer)

    @property
    def _stream(self) -> str:
        return self._stream_sub.name

    @property
    def _group(self) -> str:
        return str(self._stream_sub.group)

    @property
    def _consumer(self) -> str:
        return str(self._stream_sub.consumer)

    async def _create_group(self) -> None:
        try:
            await self.redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def _get_msgs(self, *_: Any) -> None:
        if not await self._has_room():
            return
        try:
            read = await self.wire.execute(
                *("XREADGROUP", "GROUP", self._group, self._consumer),
                *("COUNT", max(1, self.room.free), "BLOCK", int(POLL * 1000)),
                *("STREAMS", self._stream, ">"),
            )
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            log.warning("consumer group vanished, making it again", **self.place())
            await self._create_group()
            return
        for entry, fields in _entries(read):
            self._take(entry, fields)

    def _take(self, entry: bytes, fields: dict[bytes, bytes]) -> None:
        if entry in self._ids:
            return
        self._ids.add(entry)
        message = DefaultStreamMessage(
            type="stream", channel=self._stream, message_ids=[entry], data=fields
        )
        self.take(message)

    async def handle(self, msg: Any) -> bool:
        (entry,) = msg["message_ids"]
        done = False
        try:
            done = await super().handle(msg)
        finally:
            if done:
                mine = [self._group, entry, self._consumer]
                acknowledged = partial(self._acknowledged, entry)
                self.shared.start(DONE_WITH, [self._stream], mine, acknowledged, again=True)
            else:
                self._ids.discard(entry)
        return done

    def _acknowledged(self, entry: bytes, answer: asyncio.Future[Any]) -> None:
        self._ids.discard(entry)
        if (exc := answer.exception()) is not None:
            # It stays pending, and comes up again below.
            log.warning("could not acknowledge", reason=str(exc), **self.place())

    async def _take_over_from_the_dead(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await self._take_over()
            except (RedisError, OSError) as exc:
                log.debug("could not look for the dead", reason=str(exc), **self.place())

    async def _take_over(self) -> None:
        living = await alive(self.redis, self._stream)
        ttl = self.presence.heartbeat_ttl
        for consumer in await self.redis.xinfo_consumers(self._stream, self._group):
            name = consumer["name"].decode()
            mine = name == self._consumer
            dead = name not in living and self.presence.steady
            if mine or dead:
                await self._adopt(name, len(living))
            if not mine and dead and consumer["idle"] > 1000 * ttl:
                await self._forget(name)

    async def _adopt(self, consumer: str, living: int) -> None:
        """Take what `consumer` left unfinished. Only one member gets it: claiming resets idleness.

        Its own leftovers are what it could not acknowledge while Redis was away.
        """
        idle = int(self.presence.heartbeat_ttl * 1000)
        left = await self.redis.xpending_range(
            self._stream, self._group, "-", "+", _LEFT_BEHIND, consumer, idle=idle
        )
        ids = [row["message_id"] for row in left if row["message_id"] not in self._ids]
        # A fair share, and room or not: whoever waits has waited for the dead one long enough.
        entries = ids[: max(1, self.room.free, -(-len(ids) // max(1, living)))]
        if entries and self.running:
            claimed = await self.redis.xclaim(
                self._stream, self._group, self._consumer, idle, entries
            )
            for entry, fields in claimed:
                log.info("took over", entry=entry.decode(), consumer=consumer, **self.place())
                self._take(entry, fields)

    async def _forget(self, consumer: str) -> None:
        try:
            # On the wire that acknowledges, so that all of that is done before.
            await self.shared.run(_FORGET_IDLE, [self._stream], [self._group, consumer])
        except (RedisError, OSError) as exc:
            log.debug("could not leave the group", reason=str(exc), **self.place())


class ResilientStreamReader(_Stream):
    """Reads a stream that everybody reads, from the moment it starts, and misses nothing."""

    on_gap: Callable[[], None]
    tell: Callable[[Any], Awaitable[None]]

    async def start(self) -> None:
        """Start at the stream's present end, as an id: `$` would mean a later end at each read."""
        self.parser._setup(self.redis, None)
        last = await self.redis.xrevrange(self._stream_sub.name, count=1)
        self.last_id = last[0][0].decode() if last else "0-0"
        self._read_at = time.monotonic()
        await LogicSubscriber.start(self)

    async def _get_msgs(self, *_: Any) -> None:
        name = self._stream_sub.name
        last, held_up = self.last_id, time.monotonic() - self._read_at > _HELD_UP
        read = await self.wire.execute(
            *("XREAD", "COUNT", 100, "BLOCK", int(POLL * 1000)), *("STREAMS", name, last)
        )
        self._read_at = time.monotonic()
        if held_up and read and await self._has_gap(name, last):
            log.warning("events were trimmed before they were read", **self.place())
            self.on_gap()
        for entry, fields in _entries(read):
            self.last_id = entry.decode()
            # One after the other, as they happened.
            await self.handle(
                DefaultStreamMessage(type="stream", channel=name, message_ids=[entry], data=fields)
            )

    async def process_message(self, msg: Any) -> None:  # type: ignore[override]
        """Past FastStream's stages, of which nothing that is only heard needs one.

        Each job has three events or more, and each gateway hears all of them.
        """
        await self.tell(await self.parser.parse_message(msg))

    async def _has_gap(self, name: str, last: str) -> bool:
        """Whether the stream has been trimmed beyond `last`, so that nobody knows what was next."""
        first = await self.redis.xrange(name, count=1)
        return bool(first) and last != "0-0" and _place(first[0][0].decode()) > _place(last)


def _place(entry: str) -> tuple[int, ...]:
    return tuple(map(int, entry.split("-")))


def entry_of(message: RedisMessage) -> str:
    """The id of the stream's entry that a message came in."""
    raw: Any = message.raw_message
    return str(raw["message_ids"][0].decode())


def _entries(read: Any) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """What was read of one stream: a mapping in RESP 3, pairs in RESP 2, nothing as None."""
    streams = read.items() if isinstance(read, dict) else read or ()
    for _, entries in streams:
        for entry, fields in entries:
            yield entry, dict(zip(fields[::2], fields[1::2], strict=True))

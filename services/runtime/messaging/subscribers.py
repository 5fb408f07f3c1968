"""FastStream's subscribers, made to last: many messages at once, and back within a second.

As FastStream has them they sleep five seconds after a lost connection, and lose what they hold at
a graceful stop when they work concurrently.
"""

import asyncio
from typing import Any

import structlog
from anyio import Event
from faststream.exceptions import IgnoredException
from faststream.redis import ListSub, PubSub
from faststream.redis.message import DefaultListMessage, PubSubMessage
from faststream.redis.subscriber.usecases import (
    ChannelSubscriber,
    ListSubscriber,
    LogicSubscriber,
)
from redis.exceptions import RedisError

from contracts.errors import InvalidRequest
from services.runtime.capacity import Capacity
from services.runtime.redis.client import RECONNECT_DELAY
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.subscription import Subscription
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

POLL = 0.5
"""Seconds a read blocks at most, and so what a stop waits for it."""


class Resilient(LogicSubscriber):
    """Reads as long as it runs and handles each message in a task of its own."""

    room: Capacity
    shared: Multiplexer  # the process's
    wire: Multiplexer  # its own, as it blocks
    redis: Any  # a Redis; the types of its answers are unions over every protocol

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_hand: set[asyncio.Task[bool]] = set()

    async def _consume(self, *args: Any, start_signal: Event) -> None:
        start_signal.set()
        lost = False
        while self.running:
            try:
                await self._get_msgs(*args)
                # What was read is begun before more is asked for.
                await asyncio.sleep(0)
            except (RedisError, OSError) as exc:
                if not lost:
                    log.warning("subscriber lost redis", reason=str(exc), **self.place())
                lost = True
                await asyncio.sleep(RECONNECT_DELAY)
            else:
                if lost:
                    log.info("subscriber is back", **self.place())
                lost = False

    async def _has_room(self) -> bool:
        """Whether there is room, once there is; by then this may have been stopped."""
        await self.room.wait()
        return self.running

    def take(self, msg: Any) -> None:
        """Handle a message in a task of its own."""
        task = asyncio.create_task(self.handle(msg))
        self.room.take()
        self._in_hand.add(task)
        task.add_done_callback(self._let_go)

    async def handle(self, msg: Any) -> bool:
        """Whether the message is done with: handled, or let go on purpose."""
        try:
            await self.process_message(msg)
        except IgnoredException:
            return True
        except InvalidRequest as exc:
            # It can't be read, and will be no better the next time.
            log.error("message refused", reason=exc.detail, **self.place())
            return True
        except Exception as exc:
            # Nobody waits for an answer that could tell of it.
            log.error("message failed", exc_info=exc, **self.place())
            return False
        return True

    def _let_go(self, task: asyncio.Task[bool]) -> None:
        self._in_hand.discard(task)
        self.room.give_back()

    async def stop(self) -> None:
        """Take nothing more, finish what is in hand, and leave the rest to others."""
        self._take_no_more()
        limit = self._outer_config.graceful_timeout or 0
        # A read that is cut off may have taken a message out of Redis already.
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=2 * POLL)
        self.running = False
        # What still reads or waits for room ends before its wire goes back, as nobody else may use
        # a connection that it still has.
        await asyncio.gather(*(end(task) for task in self.tasks))
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=limit)
            await asyncio.gather(*(end(task) for task in late))
        await super().stop()
        await self.wire.close()

    def _take_no_more(self) -> None:
        """Let the read that is under way be the last."""
        self.running = False

    def place(self) -> dict[str, str]:
        return {"address": self.get_log_context(None)["channel"]}


class ResilientChannelSubscriber(Resilient, ChannelSubscriber):
    """Hears everything, room or not: a channel keeps nothing for later."""

    ear: Subscription

    @property
    def channel(self) -> PubSub:
        """What it hears. FastStream copies this anew at each look, which is one a message."""
        return self._channel

    async def start(self) -> None:
        """Subscribe; returns once nothing that is published is missed."""
        await self.ear.listen()
        # Past ChannelSubscriber.start, which would subscribe by redis-py's PubSub.
        await LogicSubscriber.start(self, self.ear)

    async def stop(self) -> None:
        """Hear what was published until now, and hang up, which needs no Redis that answers."""
        await super().stop()
        await self.ear.aclose()

    def hear(self, channel: str, data: bytes) -> None:
        """Handle what is published."""
        self.take(PubSubMessage(type="message", channel=channel, data=data, pattern=None))

    def _take_no_more(self) -> None:
        self.ear.leave()

    async def _get_msgs(self, ear: Any) -> None:
        await ear.listen()
        await ear.end()
        self.running = False


class ResilientListSubscriber(Resilient, ListSubscriber):
    """Takes from a list what it has room for, all at once (BLMPOP, Redis 7)."""

    @property
    def list_sub(self) -> ListSub:
        """Where it takes from. FastStream copies this anew at each look, which is one a message."""
        return self._list_sub

    async def _get_msgs(self, client: Any) -> None:
        if not await self._has_room():
            return
        name = self._list_sub.name
        popped = await self.wire.execute(
            "BLMPOP", POLL, 1, name, "LEFT", "COUNT", max(1, self.room.free)
        )
        for data in popped[1] if popped else ():
            self.take(DefaultListMessage(type="list", channel=name, data=data))

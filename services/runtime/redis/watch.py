"""Watch over Redis: checks that it keeps what it accepts, and that it accepts writes.

One watch in each process asks every two seconds and keeps the answer in memory, so that a check in
a request costs nothing. Decision 0030 has the reasons.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import structlog
from redis.exceptions import RedisError, ResponseError

from contracts.errors import ServiceError, StoreVolatile
from services.runtime.capacity import Capacity
from services.runtime.redis import keys
from services.runtime.redis.client import RECONNECT_DELAY, RedisClient, store_error
from services.runtime.redis.replies import LOST
from services.runtime.redis.server_facts import MIN_VERSION, NO_EVICTION, ServerFacts, facts_from
from services.runtime.tasks import end
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

INTERVAL = 2.0
"""Seconds between two looks."""

_LONGEST_PAUSE = 32.0  # seconds


class StoreRefused(Exception):
    """This Redis can't be used: it is too old, or deletes what was accepted."""


OnRefused = Callable[[StoreRefused], NoReturn]


def raise_refused(reason: StoreRefused) -> NoReturn:
    """Raise the reason."""
    raise reason


@dataclass(frozen=True)
class StoreState:
    """The facts that the last look has found."""

    refused: str = ""
    """Reason why no service may work with this Redis; empty if services may."""
    volatile: str = ""
    """Reason why Redis may lose accepted data; empty if it keeps them."""
    unwritable: ServiceError | None = None
    """Reason why Redis refuses writes; None if it accepts them."""
    memory: float = 0.0
    """The used part of `maxmemory`; 0 without a limit."""
    used_memory: int = 0
    """Bytes of memory that Redis uses."""
    maxmemory: int = 0
    """Bytes of memory that Redis may use; 0 without a limit."""


class StoreWatch:
    """Looks after Redis for one process, from `start` to `stop`."""

    def __init__(
        self,
        redis: RedisClient,
        metrics: Metrics,
        *,
        allow_volatile: bool,
        on_refused: OnRefused = raise_refused,
    ) -> None:
        self._redis = redis
        self._on_refused = on_refused
        self._allow_volatile = allow_volatile
        self._task: asyncio.Task[None] | None = None
        self._capacities: list[Capacity] = []
        self._pause, self._pause_ends = INTERVAL, -math.inf
        self.state = StoreState(volatile="Nothing is known of Redis yet; try again soon.")
        metrics.watch(
            "darkroom_redis_memory",
            "Memory that Redis uses, as a part of its `maxmemory`; 0 without a limit.",
            lambda: self.state.memory,
        )
        metrics.watch(
            "darkroom_redis_memory_bytes",
            "Bytes of memory that Redis uses.",
            lambda: self.state.used_memory,
        )
        metrics.watch(
            "darkroom_redis_writable",
            "1 while Redis accepts writes; 0 when its memory or its disk is full.",
            lambda: self.state.unwritable is None,
        )
        metrics.watch(
            "darkroom_redis_durable",
            "1 while jobs may be accepted; 0 when Redis may lose them.",
            lambda: self.durable,
        )

    @property
    def running(self) -> bool:
        """True while the task that checks Redis runs; it goes on while Redis is away."""
        return self._task is not None and not self._task.done()

    @property
    def durable(self) -> bool:
        """True if jobs may be accepted."""
        return not self.state.refused and (self._allow_volatile or not self.state.volatile)

    async def start(self) -> bool:
        """Wait until Redis answers, log the beginning and the end, and return whether it was away.

        Calls `on_refused` for a Redis that can't be used.
        """
        waiting = False
        while True:
            try:
                await self._look()
            except LOST as exc:
                if not waiting:
                    address = str(self._redis.endpoint)
                    log.warning("waiting for redis", address=address, reason=str(exc))
                    waiting = True
                await asyncio.sleep(RECONNECT_DELAY)
                continue
            break
        if waiting:
            log.info("redis is available", address=str(self._redis.endpoint))
        if self.state.refused:
            self._on_refused(StoreRefused(self.state.refused))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="store-watch")
        return waiting

    async def stop(self) -> None:
        """Look no more."""
        await end(self._task)
        self._task = None

    def pauses(self, capacity: Capacity) -> None:
        """Pause `capacity` for as long as Redis refuses writes, and after each `pause`."""
        self._capacities.append(capacity)

    def check_durable(self) -> None:
        """Raise StoreVolatile if Redis may lose a job that is accepted now."""
        if not self.durable:
            raise StoreVolatile(self.state.refused or self.state.volatile, retry_after=5)

    def check_writable(self) -> None:
        """Raise the failure of a write, if the last one that was tried has failed."""
        if self.state.unwritable is not None:
            # A new exception: one that is raised again and again keeps all of its tracebacks.
            raise self.state.unwritable.failure().error()

    def report_full(self, failure: ServiceError) -> None:
        """Pause, and note that a full Redis has refused a write.

        The probe of the next look is small, and may fit where results do not.
        """
        if time.monotonic() >= self._pause_ends:
            self.pause()
            self._change(replace(self.state, unwritable=failure))

    def pause(self, *, longest: float = _LONGEST_PAUSE) -> None:
        """Pause after a failure of Redis or of the store of images, for longer from time to time.

        `longest` is in seconds. Another call during a pause does nothing.
        """
        now = time.monotonic()
        if now < self._pause_ends:
            return
        recent = now - self._pause_ends < longest
        self._pause = min(longest, 2 * self._pause) if recent else INTERVAL
        self._pause_ends = now + self._pause
        self._change(self.state)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self._look()
            except (RedisError, OSError) as exc:
                log.debug("could not look after redis", reason=str(exc))
            except Exception as exc:
                log.error("looking after redis failed", exc_info=exc)

    async def _look(self) -> None:
        """Ask Redis, and note its answers. Raises one of `LOST`."""
        try:
            info: bytes = await self._redis.execute("INFO")
        except ResponseError as exc:
            self._change(replace(self.state, refused=f"Redis refuses INFO ({exc}); allow it."))
            return
        facts = facts_from(info.decode(errors="replace"))
        saves = facts.append_only or await self._takes_snapshots()
        unwritable = await self._write()
        if unwritable is None and time.monotonic() < self._pause_ends:
            unwritable = self.state.unwritable
        self._change(
            StoreState(
                refused=_refusal(facts),
                volatile=_volatility(facts, saves=saves),
                unwritable=unwritable,
                memory=facts.memory,
                used_memory=facts.used_memory,
                maxmemory=facts.maxmemory,
            )
        )

    async def _takes_snapshots(self) -> bool:
        try:
            reply = await self._redis.execute("CONFIG", "GET", "save")
        except ResponseError:
            # Refused, as servers in the cloud do; their snapshots are not for restarts.
            return False
        return bool(reply.get(b"save"))

    async def _write(self) -> ServiceError | None:
        """Return the failure of a write that Redis refuses, or None.

        The probe writes nothing into a key that is not there, so it leaves nothing behind. Redis
        refuses it like every other write.
        """
        try:
            await self._redis.execute("SETRANGE", keys.WRITE_PROBE, 0, "")
        except ResponseError as exc:
            return store_error(exc)
        return None

    def _change(self, state: StoreState) -> None:
        """Note what was found; log what is new, pause and resume."""
        before, self.state = self.state, state
        for capacity in self._capacities:
            capacity.paused = state.unwritable is not None or time.monotonic() < self._pause_ends
        if state.volatile and state.volatile != before.volatile:
            log.warning("redis may lose jobs", reason=state.volatile, refused=not self.durable)
        if state.refused and state.refused != before.refused:
            log.error("redis can't be used", reason=state.refused)
        if state.unwritable is not None and before.unwritable is None:
            log.error("redis refuses writes", reason=state.unwritable.detail)
        if before.unwritable is not None and state.unwritable is None:
            log.info("redis accepts writes again")


def _refusal(facts: ServerFacts) -> str:
    if facts.old:
        oldest = ".".join(map(str, MIN_VERSION))
        return f"Redis {facts.version} is too old: Redis {oldest} or later, or Valkey, is needed."
    if facts.policy != NO_EVICTION:
        return (
            f"Redis's maxmemory-policy is {facts.policy}, which deletes accepted jobs and their"
            " images: set it to noeviction."
        )
    return ""


def _volatility(facts: ServerFacts, *, saves: bool) -> str:
    if not saves:
        return (
            "Redis would lose every job at a restart: set appendonly to yes, or"
            " DARKROOM_ALLOW_VOLATILE=true where jobs may be lost."
        )
    if not facts.append_only and facts.last_save_failed:
        return "Redis's last snapshot has failed, and it has no append-only file."
    return ""

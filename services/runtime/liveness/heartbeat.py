"""Heartbeats: each worker reports every second that it is alive, for every address it serves.

Times are Redis's own, so the clocks of the hosts don't matter.
"""

import asyncio
import math
import os
import platform
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import structlog
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from services.runtime.liveness.server_clock import Clock
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import load_script
from services.runtime.settings import RuntimeSettings
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

Report = dict[str, str | int | float | list[str]]
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)

_BEAT = load_script(__package__, "beat", when_full=True)
_ALIVE = load_script(__package__, "alive")


def new_worker_name() -> str:
    """Make a name that no other process has or will have."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


async def alive(redis: RedisClient, address: str) -> set[str]:
    """Return the names of the workers that serve `address` now."""
    names = await redis.script(_ALIVE, [keys.responders(address)])
    return {name.decode() for name in names}


class Workers:
    """The living workers, for readers: health pages, the gateway's system endpoint."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def alive(self, address: str) -> set[str]:
        """Return the names of the workers that serve `address` now."""
        return await alive(self._redis, address)

    async def reports(self, address: str) -> dict[str, Report]:
        """Return the last report of each living worker that serves `address`, by name."""
        names = sorted(await alive(self._redis, address))
        if not names:
            return {}
        reports = await self._redis.execute("HMGET", keys.WORKERS, *names)
        pairs = zip(names, reports, strict=True)
        return {name: _REPORT.validate_json(text) for name, text in pairs if text is not None}


class Heartbeat:
    """One process's heartbeat: it sets the clock, and reports that a worker is alive."""

    def __init__(
        self,
        redis: RedisClient,
        name: str,
        settings: RuntimeSettings,
        clock: Clock,
        *,
        capacity: int,
        report: Callable[[], Report],
    ) -> None:
        self._redis = redis
        self._name = name
        self._settings = settings
        self._clock = clock
        self._capacity = capacity
        self._report = report
        self._addresses: Sequence[str] = ()
        self._task: asyncio.Task[None] | None = None
        self._last_beat = self._steady_since = -math.inf
        self.begun = asyncio.Event()
        """Set when the first heartbeat has been sent."""

    @property
    def steady(self) -> bool:
        """True if this process's heartbeat has had no gap for as long as a heartbeat counts.

        After an outage of Redis every heartbeat is missing, so a missing one proves no death yet.
        A new process is steady from its first heartbeat, unless it had to wait for Redis: workers
        that crash again and again must still reclaim what the last one left.
        """
        now, ttl = time.monotonic(), self._settings.heartbeat_ttl
        return now - self._last_beat <= ttl / 2 and now - self._steady_since > ttl

    @property
    def heartbeat_ttl(self) -> float:
        """Seconds without a heartbeat after which a worker counts as dead."""
        return self._settings.heartbeat_ttl

    @property
    def beating(self) -> bool:
        """True while the task that sends heartbeats runs; it goes on while Redis is away."""
        return self._task is not None and not self._task.done()

    async def start(self, addresses: Sequence[str], *, after_outage: bool = False) -> None:
        """Report now and at every interval that this process serves `addresses`: none, or more.

        `after_outage` says that Redis was away when this process started: it is not steady yet.
        """
        if self._task is None:
            self._addresses = addresses
            await self._beat()
            if after_outage:
                self._steady_since = self._last_beat
            self.begun.set()
            self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def stop(self) -> None:
        """Remove this worker, so that no caller sends to it or waits for it."""
        if self._task is None:
            return
        await end(self._task)
        self._task = None
        with suppress(RedisError, OSError):
            commands: list[Command] = [("HDEL", keys.WORKERS, self._name)]
            for address in self._addresses:
                commands.append(("ZREM", keys.responders(address), self._name))
                commands.append(("HDEL", keys.capacities(address), self._name))
            await self._redis.transaction(commands)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_interval)
            try:
                await self._beat()
            except (RedisError, OSError) as exc:
                # Callers count this worker as dead for now, which is right: it can't be reached.
                log.debug("heartbeat not sent", reason=str(exc))
            except Exception as exc:
                log.error("heartbeat failed", exc_info=exc)

    async def _beat(self) -> None:
        asked = self._clock.host()
        report = self._report_alive() if self._addresses else self._redis.execute("TIME")
        seconds, microseconds = map(int, await report)
        server = seconds + microseconds / 1_000_000
        skewed = self._clock.skewed
        self._clock.set(asked=asked, answered=self._clock.host(), server=server)
        if self._clock.skewed and not skewed:
            log.warning("clock differs from redis", seconds=round(self._clock.skew, 1))
        now = time.monotonic()
        if now - self._last_beat > self._settings.heartbeat_ttl / 2 and self._last_beat > -math.inf:
            self._steady_since = now
        self._last_beat = now

    async def _report_alive(self) -> tuple[bytes, bytes]:
        names = [keys.WORKERS]
        for address in self._addresses:
            names += [keys.responders(address), keys.capacities(address)]
        life = int(self._settings.heartbeat_ttl * 1000)
        report = _REPORT.dump_json({**_about_this_process(), **self._report()})
        args: list[Any] = [self._name, life, report, self._capacity]
        time_parts: tuple[bytes, bytes] = await self._redis.script(_BEAT, names, args)
        return time_parts


_STARTED = datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _about_this_process() -> Report:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _STARTED,
        "python": platform.python_version(),
        "faststream": version("faststream"),
    }

"""Redis, a gateway and workers in processes of their own, each of which can be killed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from contracts.jobs import JOBS
from services.runtime.redis.keys import (
    JOB_LINE,
    JOB_TURNS,
    JOBS_LATER,
    JOBS_QUEUED,
    JOBS_RUNNING,
)
from tests.processes import (
    BIN,
    MortalValkey,
    Service,
    free_port,
    mortal_valkey,
    until_answer,
    wait_until,
)

GATEWAY = "services.gateway.main:app"
IMAGING = "services.imaging.main:app"


class KillableService:
    """A service that can be killed and started again on the same port."""

    def __init__(self, app: str, redis_url: str, env: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [str(BIN / "faststream"), "run", app, "--port", str(self.port)]
        self._redis_url = redis_url
        self._env = env
        self._service: Service | None = None

    async def start(self) -> None:
        """Start the service; return once it is ready. Raises AssertionError after 40 s."""
        self._service = service = Service(
            self._command, port=self.port, redis_url=self._redis_url, env=self._env
        )
        await asyncio.to_thread(wait_until, service.ready, seconds=40)

    def kill(self, *, alone: bool = True) -> None:
        """Send SIGKILL to the main process; unless `alone`, to its pool processes as well."""
        service = self._running
        if alone:
            service.process.kill()
        else:
            os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait()
        service.close()

    async def stop(self) -> None:
        """Stop the service gracefully."""
        await asyncio.to_thread(self._running.close)

    def end(self) -> None:
        """Kill the service and its pool processes if it still runs."""
        if self._service is not None and self._service.process.poll() is None:
            self.kill(alone=False)

    @property
    def pid(self) -> int:
        """The process id of the main process."""
        return self._running.process.pid

    def output(self) -> str:
        """Return everything printed since the last start."""
        return self._running.output()

    def memory(self) -> float:
        """Return the resident memory of the main process, in MiB."""
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True
        )
        return int(listed.stdout) / 1024

    @property
    def _running(self) -> Service:
        assert self._service is not None
        return self._service


@dataclass(frozen=True)
class Suite:
    """All services of the suite, running."""

    store: MortalValkey
    redis: Any  # a Redis client; the types of its replies are unions over every protocol version
    gateway: KillableService
    workers: Sequence[KillableService]

    async def assert_no_open_jobs(self) -> None:
        """Raise TimeoutError unless, within 10 s, no job waits and no worker holds one."""

        async def nothing() -> bool:
            (group,) = await self.redis.xinfo_groups(JOBS)
            lines = [key async for key in self.redis.scan_iter(f"{JOB_LINE}*")]
            open_jobs = await self.redis.exists(JOB_TURNS, JOBS_QUEUED, JOBS_RUNNING, JOBS_LATER)
            return not (lines or open_jobs or group["pending"] or await self.redis.xlen(JOBS))

        await until_answer(nothing, seconds=10, every=0.1)


@asynccontextmanager
async def suite(
    folder: Path, *, workers: int, env: Mapping[str, str], app: str = IMAGING
) -> AsyncIterator[Suite]:
    """Start a suite with its data in `folder`; kill whatever still runs at the end.

    `env` is added to the environment of every service; `app` is the workers' application.
    """
    with mortal_valkey(folder) as store:
        gateway = KillableService(GATEWAY, store.url, env)
        imaging = [KillableService(app, store.url, env) for _ in range(workers)]
        try:
            await asyncio.gather(*(one.start() for one in (gateway, *imaging)))
            # redis-py reconnects after Redis was killed, which the scenarios rely on.
            async with Redis.from_url(store.url) as redis:
                yield Suite(store, redis, gateway, imaging)
        finally:
            for one in (*imaging, gateway):
                one.end()

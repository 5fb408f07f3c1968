"""Redis, a gateway and workers in processes of their own, any of which may be killed."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from contracts.jobs import JOBS
from tests.processes import BIN, MortalValkey, Service, free_port, mortal_valkey, wait_until

GATEWAY = "services.gateway.main:app"
IMAGING = "services.imaging.main:app"


class Mortal:
    """A service that can be killed and comes back at the same port."""

    def __init__(self, app: str, redis_url: str, env: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [str(BIN / "faststream"), "run", app, "--port", str(self.port)]
        self._redis_url = redis_url
        self._env = env
        self._service: Service | None = None

    async def start(self) -> None:
        """Start it, and return once it says that it could work."""
        self._service = service = Service(
            self._command, port=self.port, redis_url=self._redis_url, env=self._env
        )
        await asyncio.to_thread(wait_until, service.ready, seconds=40)

    def kill(self, *, alone: bool = True) -> None:
        """End it with no chance to do anything; unless `alone`, its pool processes, too."""
        service = self._running
        if alone:
            service.process.kill()
        else:
            os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait()
        service.close()

    async def stop(self) -> None:
        """Stop it as its users do."""
        await asyncio.to_thread(self._running.close)

    def end(self) -> None:
        """Kill it with all of its own, if it still runs."""
        if self._service is not None and self._service.process.poll() is None:
            self.kill(alone=False)

    @property
    def pid(self) -> int:
        """Of its main process."""
        return self._running.process.pid

    def output(self) -> str:
        """What it has printed since it was started last."""
        return self._running.output()

    def memory(self) -> float:
        """What its main process takes, in MiB."""
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
    """All of it, running."""

    store: MortalValkey
    redis: Any  # a Redis; the types of its answers are unions over every protocol
    gateway: Mortal
    workers: Sequence[Mortal]

    async def assert_nothing_is_left(self) -> None:
        """Raise unless no job waits anywhere, and nobody has one in hand."""

        async def nothing() -> bool:
            (group,) = await self.redis.xinfo_groups(JOBS)
            places = [key async for key in self.redis.scan_iter("darkroom:jobs:[^e]*")]
            return not (places or group["pending"] or await self.redis.xlen(JOBS))

        await until(nothing, seconds=10)


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    """Return as soon as `await true()`. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  another process makes it true
            await asyncio.sleep(0.1)


@asynccontextmanager
async def suite(
    folder: Path, *, workers: int, env: Mapping[str, str], app: str = IMAGING
) -> AsyncIterator[Suite]:
    """A suite that keeps its data in `folder`, gone for certain in the end."""
    with mortal_valkey(folder) as store:
        gateway = Mortal(GATEWAY, store.url, env)
        imaging = [Mortal(app, store.url, env) for _ in range(workers)]
        try:
            await asyncio.gather(*(one.start() for one in (gateway, *imaging)))
            # Its pool is for the bench alone, which goes on where a killed server was.
            async with Redis.from_url(store.url) as redis:
                yield Suite(store, redis, gateway, imaging)
        finally:
            for one in (*imaging, gateway):
                one.end()

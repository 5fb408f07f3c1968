"""Trips to Redis of one request, counted by a proxy in front of Redis.

A trip begins when a service sends something to Redis over a connection on which Redis has sent the
last word. So a pipeline is one trip, however many commands it has, and news that Redis sends by
itself are none.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.command_line import progress
from bench.delivery.contenders import NO_MEMORY
from bench.delivery.questions import HIT, thumbnails
from bench.delivery.stage import port_of
from bench.delivery.target import WrongAnswer, get, upload
from bench.imaging.systems.darkroom import QUIET
from bench.servers import Valkey, free_port
from tests.processes import faststream

HITS, RENDERS = 200, 60  # requests, one after the other
_IDLE = 2.0  # seconds over which the trips without requests are counted
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Trips:
    """Trips of one request: of the gateway and of imaging, without those of the background."""

    name: str
    gateway: float
    imaging: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


class Proxy:
    """Counts the trips to Redis of the services that use `url`."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.trips = 0

    async def serve(self, ended: asyncio.Event) -> None:
        """Pass bytes in both directions until `ended`."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        async with server:
            await ended.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_redis = await asyncio.open_connection(self._target.hostname, self._target.port)
        answered = True

        async def send() -> None:
            nonlocal answered
            while data := await reader.read(_CHUNK):
                self.trips += answered
                answered = False
                to_redis.write(data)
                await to_redis.drain()

        async def receive() -> None:
            nonlocal answered
            while data := await upstream.read(_CHUNK):
                answered = True
                writer.write(data)
                await writer.drain()

        tasks = [asyncio.ensure_future(send()), asyncio.ensure_future(receive())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()
            to_redis.close()


def count(folder: Path) -> list[Trips]:
    """Count the trips of a picture from memory, of one from the store, and of a thumbnail."""
    with ExitStack() as running:
        valkey = running.enter_context(Valkey())
        proxies = [Proxy(valkey.url) for _ in range(3)]
        running.enter_context(_serving(proxies))
        environment = {**QUIET, "DARKROOM_STORE": f"file://{folder}"}
        of_imaging, of_memory, of_store = proxies
        running.enter_context(faststream("imaging", of_imaging.url, env=environment))
        memory, store = (
            port_of(running.enter_context(faststream("gateway", proxy.url, env=env)))
            for proxy, env in (
                (of_memory, environment),
                (of_store, {**environment, **NO_MEMORY}),
            )
        )
        image = upload(memory, HIT.photo.read())
        picture = f"{image}/render?{HIT.query()}"
        for port in (memory, memory, memory, store):
            _ask(port, picture)
        wanted = [
            f"{upload(memory, case.photo.read())}/render?{case.query()}"
            for case in islice(thumbnails(), RENDERS + 1)
        ]
        _ask(memory, wanted.pop())

        def counted(name: str, proxy: Proxy, port: int, paths: list[str]) -> Trips:
            def ask() -> None:
                for path in paths:
                    _ask(port, path)

            per_request = _count((proxy, of_imaging), ask)
            found = Trips(name, *(trips / len(paths) for trips in per_request))
            progress(f"  {name}: {found.gateway:.2f} trips, imaging {found.imaging:.2f}")
            return found

        return [
            counted("picture from memory", of_memory, memory, [picture] * HITS),
            counted("picture from the store", of_store, store, [picture] * HITS),
            counted("thumbnail, rendered", of_memory, memory, wanted),
        ]


def _count(proxies: tuple[Proxy, Proxy], run: Callable[[], object]) -> list[float]:
    """Return the trips through each proxy while `run` runs, without those of an idle time."""

    def timed(action: Callable[[], object]) -> tuple[float, list[int]]:
        before, started = [proxy.trips for proxy in proxies], time.monotonic()
        action()
        took = time.monotonic() - started
        return took, [proxy.trips - n for proxy, n in zip(proxies, before, strict=True)]

    idle, background = timed(lambda: time.sleep(_IDLE))
    took, trips = timed(run)
    return [
        max(0.0, n - took * unasked / idle) for n, unasked in zip(trips, background, strict=True)
    ]


@contextmanager
def _serving(proxies: list[Proxy]) -> Iterator[None]:
    """Serve in a thread of its own."""
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        await asyncio.gather(*(proxy.serve(ended) for proxy in proxies))

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


def _ask(port: int, path: str) -> None:
    answer = get(port, path)
    if answer.status != 200:
        raise WrongAnswer(f"status {answer.status}")

"""Scenario: kill gateways and the worker while images are stored on a disk, then lose Redis."""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

from bench.chaos.client import photographs
from bench.chaos.outcome import Outcome
from bench.chaos.suite import KillableService, Suite, suite
from tests.processes import until_answer

_CLIENTS = 8


async def store_is_killed(folder: Path, *, images: int, kills: int, every: float) -> Outcome:
    """Kill the gateway or the worker `kills` times, `every` seconds apart, amid uploads.

    Then sweep, empty Redis and rebuild. Raises AssertionError if an image whose upload was
    answered is lost or has other bytes, if a sweep leaves bytes that nobody needs, or if an image
    is not there again after the rebuild.
    """
    store = folder / "store"
    env = {"DARKROOM_STORE": f"file://{store}", "DARKROOM_SLOTS": "1"}
    # Small and large ones: renditions of the latter don't stay in Redis.
    bodies = [
        body + os.urandom(1000 * (number % 3) ** 6)
        for number, body in enumerate(photographs(images, 500, 400))
    ]
    async with suite(folder, workers=1, env=env) as running:
        started = time.monotonic()
        promised: dict[str, bytes] = {}
        uploading = asyncio.create_task(_upload_all(running, bodies, promised))
        killed = await _kill(running, uploading, kills, every)
        await uploading
        assert len(promised) == images
        await _assert_stored(running.gateway.url, promised)
        seconds = time.monotonic() - started

        command = _Command(running.store.url, env)
        swept = await command("sweep", "--grace", "0", "--force")
        left = [path for path in (store / "default" / "kept").rglob("*") if path.is_file()]
        assert len(left) == 2 * images, "the bytes of each image and its sidecar"
        assert not [path for path in (store / "tmp").iterdir() if path.is_file()], swept
        await _assert_stored(running.gateway.url, promised)

        await running.redis.flushall()
        await command("rebuild")
        await _assert_stored(running.gateway.url, promised)
        return Outcome(
            "the disk's services die",
            jobs=0,
            kills=killed,
            stall=0.0,
            seconds=seconds,
            notes={"images uploaded, swept and rebuilt": images},
        )


async def _upload_all(running: Suite, bodies: list[bytes], promised: dict[str, bytes]) -> None:
    """Upload each image until its upload is answered, and render it now and then."""
    waiting = list(bodies)

    async def work(http: httpx.AsyncClient) -> None:
        while waiting:
            body = waiting.pop()
            upload = partial(_upload, running, http, body, promised)
            await until_answer(upload, seconds=60, every=0.2)

    async with httpx.AsyncClient(base_url=running.gateway.url, timeout=20) as http:
        await asyncio.gather(*(work(http) for _ in range(_CLIENTS)))


async def _upload(
    running: Suite, http: httpx.AsyncClient, body: bytes, promised: dict[str, bytes]
) -> bool:
    with suppress(httpx.TransportError):
        answer = await http.post("/v1/images", content=body)
        if answer.status_code in (200, 201):
            promised[answer.json()["id"]] = body
            size = random.randrange(300, 1500)
            with suppress(httpx.TransportError):
                render = f"/v1/images/{answer.json()['id']}/render?op=resize:width={size}"
                await http.get(f"{render},enlarge=true&format=png")
            return True
        expected = answer.status_code in (503, 504)
        assert expected, f"{answer.text}\n{running.gateway.output()}"
    return False


async def _kill(running: Suite, uploading: "asyncio.Task[None]", kills: int, every: float) -> int:
    killed = 0
    while killed < kills and not uploading.done():
        await asyncio.sleep(every)
        service: KillableService = random.choice([running.gateway, *running.workers])
        service.kill(alone=False)
        killed += 1
        await service.start()
    return killed


async def _assert_stored(url: str, promised: Mapping[str, bytes]) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        for image, body in promised.items():
            answer = await http.get(f"/v1/images/{image}")
            assert answer.status_code == 200, f"{image}: {answer.text}"
            assert hashlib.sha256(answer.content).hexdigest() == image
            assert answer.content == body
            rendered = await http.get(f"/v1/images/{image}/render?op=resize:width=50")
            assert rendered.status_code == 200, f"{image}: {rendered.text}"


class _Command:
    """The command `darkroom-store`, with the suite's settings."""

    def __init__(self, redis_url: str, env: Mapping[str, str]) -> None:
        self._env = {**os.environ, "REDIS_URL": redis_url, **env}

    async def __call__(self, *arguments: str) -> str:
        """Run the command and return what it printed. Raises AssertionError if it fails."""
        command = [sys.executable, "-m", "services.runtime.storage.command", *arguments]
        done = await asyncio.to_thread(
            subprocess.run, command, env=self._env, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

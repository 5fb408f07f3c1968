"""The processes that are compared; each starts when a contender first needs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from redis import Redis

from bench.delivery.questions import HIT, sources
from bench.delivery.target import WrongAnswer, get, upload
from bench.environments import ROOT
from bench.imaging.systems.darkroom import QUIET
from bench.servers import Valkey, free_port, wait_for_http
from tests.processes import Service, faststream

SLOTS = os.cpu_count() or 1  # renders at once, and processes of thumbor that renders


class Stage:
    """Services that run until `running` is closed; their files are in an empty `folder`."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self._gateways: dict[str, Service] = {}

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """Settings of all of Darkroom's services."""
        store = self.folder / "store"
        store.mkdir()
        return {**QUIET, "DARKROOM_STORE": f"file://{store}", "DARKROOM_SLOTS": str(SLOTS)}

    @cached_property
    def redis(self) -> Redis:
        """A connection to the Redis of all of Darkroom's services."""
        redis: Redis = self.running.enter_context(Redis.from_url(self.redis_url))
        return redis

    @cached_property
    def redis_url(self) -> str:
        """The address of a Valkey, which starts now."""
        return self.running.enter_context(Valkey()).url

    @cached_property
    def imaging(self) -> Service:
        """The imaging service, which renders for all gateways."""
        return self.running.enter_context(
            faststream("imaging", self.redis_url, env=self.environment)
        )

    def gateway(self, *options: str, **env: str) -> int:
        """Return the port of a gateway with further options and settings."""
        return port_of(self._gateway(*options, **env))

    def processes(self, *options: str, **env: str) -> dict[str, int]:
        """Return the process ids of a gateway and of all that works for it."""
        server: Any = self.redis.info("server")
        return {
            "gateway": self._gateway(*options, **env).process.pid,
            "imaging": self.imaging.process.pid,
            "Valkey": int(server["process_id"]),
        }

    def _gateway(self, *options: str, **env: str) -> Service:
        name = repr((options, sorted(env.items())))
        if name not in self._gateways:
            self.imaging.wait_ready()
            service = faststream(
                "gateway", self.redis_url, *options, env={**self.environment, **env}
            )
            self._gateways[name] = self.running.enter_context(service)
            self._gateways[name].wait_ready()
        return self._gateways[name]

    @cached_property
    def picture(self) -> bytes:
        """The bytes of the stored picture."""
        answer = get(self.gateway(), self.picture_path)
        if answer.status != 200:
            raise WrongAnswer(f"status {answer.status} of the picture")
        return answer.body

    @cached_property
    def picture_path(self) -> str:
        """The path of the stored picture, for every gateway."""
        return f"{upload(self.gateway(), HIT.photo.read())}/render?{HIT.query()}"

    @cached_property
    def uploaded(self) -> Mapping[str, str]:
        """The paths of the uploaded sources of thumbnails, by the name of the photograph."""
        return {photo.name: upload(self.gateway(), photo.read()) for photo in sources()}

    @cached_property
    def bare(self) -> tuple[int, int]:
        """Process id and port of the bare application, which has the bytes of the picture."""
        file = self.folder / "picture.webp"
        file.write_bytes(self.picture)
        port = free_port()
        options = ["--factory", "--port", str(port), "--log-level", "warning", "--no-access-log"]
        options += ["--loop", "uvloop", "--http", "httptools"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "bench.delivery.bare:create_app", *options],
            cwd=ROOT,
            env={**os.environ, "BARE_PICTURE": str(file)},
        )
        self.running.callback(process.wait)
        self.running.callback(process.terminate)
        wait_for_http(f"http://127.0.0.1:{port}/", seconds=20)
        return process.pid, port


def port_of(service: Service) -> int:
    """Return the port of a service."""
    return int(service.url.rpartition(":")[2])

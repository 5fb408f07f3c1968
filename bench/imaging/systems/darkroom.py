"""Darkroom's whole suite: the gateway, a Valkey, and imaging with a pool process a core."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from bench.imaging.cases import Case
from bench.imaging.load import Ask, Outcome, fetch, play
from bench.imaging.photographs import PHOTOGRAPHS, numbered
from bench.imaging.systems.interface import Running
from bench.servers import Valkey
from tests.processes import Service, faststream

QUIET = {"DARKROOM_LOG_LEVEL": "WARNING"}
ANEW = {"Cache-Control": "no-cache"}

_Asking = Callable[[Case, int], Ask]


class Suite:
    """All of it, asked one way."""

    def __init__(self, port: int, asking: _Asking, redis: Redis, services: dict[str, int]) -> None:
        self._port = port
        self._asking = asking
        self._redis = redis
        self._services = services

    def one(self, case: Case) -> bytes:
        return fetch(self._port, self._asking(case, 0))

    def play(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        def ask(number: int) -> Ask:
            return self._asking(case, number + 1)

        return play(self._port, ask, warm_up, seconds)

    def processes(self) -> dict[str, int]:
        return self._services

    def forget(self) -> None:
        kept: list[bytes] = []
        for kind in ("image", "rendition"):
            kept += self._redis.scan_iter(f"darkroom:{kind}:*", count=1000)
        if kept:
            self._redis.unlink(*kept)


@contextmanager
def posting() -> Iterator[Running]:
    """Each request brings its photograph, in bytes that were not seen before."""
    photographs = {photo: photo.read() for photo in PHOTOGRAPHS}

    def ask(case: Case, number: int) -> Ask:
        body = numbered(photographs[case.photo], number)
        return Ask("POST", f"/v1/render?{case.query()}", body, ANEW)

    with _services() as (gateway, redis, services):
        yield Suite(_port(gateway), ask, redis, services)


@contextmanager
def getting(slots: int | None = None) -> Iterator[Running]:
    """Each request names a photograph that was uploaded before; it is rendered anew.

    In a pool process a core, or in `slots`.
    """
    with _services(slots) as (gateway, redis, services):
        port = _port(gateway)

        def uploaded(case: Case) -> str:
            return str(json.loads(fetch(port, Ask("POST", "/v1/images", case.photo.read())))["id"])

        ids: dict[Case, str] = {}

        def ask(case: Case, number: int) -> Ask:
            if number == 0:
                ids[case] = uploaded(case)
            return Ask("GET", f"/v1/images/{ids[case]}/render?{case.query()}", headers=ANEW)

        yield Suite(port, ask, redis, services)


@contextmanager
def _services(slots: int | None = None) -> Iterator[tuple[Service, Redis, dict[str, int]]]:
    env = QUIET if slots is None else {**QUIET, "DARKROOM_SLOTS": str(slots)}
    with (
        Valkey() as valkey,
        Redis.from_url(valkey.url) as redis,
        faststream("imaging", valkey.url, env=env) as imaging,
        faststream("gateway", valkey.url, env=QUIET) as gateway,
    ):
        about: Any = redis.info("server")
        services = {
            "gateway": gateway.process.pid,
            "Valkey": int(about["process_id"]),
            "imaging": imaging.process.pid,
        }
        yield gateway, redis, services


def _port(gateway: Service) -> int:
    return int(gateway.url.rpartition(":")[2])

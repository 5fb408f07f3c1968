"""Darkroom's whole suite: the gateway, a Valkey, and imaging with a pool process for each core."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from bench.imaging.cases import Case
from bench.imaging.load import CONNECTIONS, Outcome, Request, fetch, run
from bench.imaging.photographs import PHOTOGRAPHS, numbered
from bench.imaging.systems.interface import Running
from bench.servers import Valkey
from services.runtime.redis.keys import PREFIX
from tests.processes import Service, faststream

QUIET = {"DARKROOM_LOG_LEVEL": "WARNING"}
NO_CACHE = {"Cache-Control": "no-cache"}
SOURCES = 2 * CONNECTIONS  # uploaded photographs of one case
ALWAYS_ANEW = {"DARKROOM_MAX_RERENDERS": "100000000"}

_MakeRequest = Callable[[Case, int], Request]
"""Makes the n-th request of a case; number 0 is the first and comes alone."""


class Suite:
    """The running services, used by one kind of request."""

    def __init__(
        self, port: int, make: _MakeRequest, redis: Redis, services: dict[str, int]
    ) -> None:
        self._port = port
        self._make = make
        self._redis = redis
        self._services = services

    def request(self, case: Case) -> bytes:
        return fetch(self._port, self._make(case, 0))

    def load(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        return run(self._port, lambda number: self._make(case, number + 1), warm_up, seconds)

    def processes(self) -> dict[str, int]:
        return self._services

    def clear(self) -> None:
        stored: list[bytes] = []
        for kind in ("image", "rendition"):
            stored += self._redis.scan_iter(f"{PREFIX}{kind}:*", count=1000)
        if stored:
            self._redis.unlink(*stored)


@contextmanager
def by_post() -> Iterator[Running]:
    """Each request has the photograph as its body, in bytes that are new."""
    photographs = {photo: photo.read() for photo in PHOTOGRAPHS}

    def make(case: Case, number: int) -> Request:
        body = numbered(photographs[case.photo], number)
        return Request("POST", f"/v1/render?{case.query()}", body, NO_CACHE)

    with services() as (gateway, redis, processes):
        yield Suite(_port(gateway), make, redis, processes)


@contextmanager
def by_get(slots: int | None = None) -> Iterator[Running]:
    """Each request names one of several uploaded photographs in turn, and is rendered anew.

    They have the same pixels in different bytes, and are more than the requests under way at once:
    renders of one source that wait together would share its decoding.

    There are `slots` pool processes, by default one for each core.
    """
    with services(slots) as (gateway, redis, processes):
        port = _port(gateway)

        def uploaded(case: Case) -> list[str]:
            photo = case.photo.read()
            uploads = (
                Request("POST", "/v1/images", numbered(photo, number)) for number in range(SOURCES)
            )
            return [str(json.loads(fetch(port, upload))["id"]) for upload in uploads]

        ids: dict[Case, list[str]] = {}

        def make(case: Case, number: int) -> Request:
            if number == 0:
                ids[case] = uploaded(case)
            path = f"/v1/images/{ids[case][number % SOURCES]}/render?{case.query()}"
            return Request("GET", path, headers=NO_CACHE)

        yield Suite(port, make, redis, processes)


@contextmanager
def services(slots: int | None = None) -> Iterator[tuple[Service, Redis, dict[str, int]]]:
    env = QUIET if slots is None else {**QUIET, "DARKROOM_SLOTS": str(slots)}
    with (
        Valkey() as valkey,
        Redis.from_url(valkey.url) as redis,
        faststream("imaging", valkey.url, env=env) as imaging,
        faststream("gateway", valkey.url, env={**QUIET, **ALWAYS_ANEW}) as gateway,
    ):
        server: Any = redis.info("server")
        services = {
            "gateway": gateway.process.pid,
            "Valkey": int(server["process_id"]),
            "imaging": imaging.process.pid,
        }
        yield gateway, redis, services


def _port(gateway: Service) -> int:
    return int(gateway.url.rpartition(":")[2])

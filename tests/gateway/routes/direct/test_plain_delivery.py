"""Direct routes give the answers of FastAPI's, for one trip to Redis."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.gateway.routes.direct.delivery_requests import CONDITIONS, CURRENT, QUERIES, TARGETS
from tests.gateway.routes.job_requests import CROP_OUTSIDE, ended, submitted
from tests.imaging.pictures import encoded, scenery
from tests.processes import BIN, Service, faststream, free_port

ENV = {"DARKROOM_DELIVERY_CACHE": "0", "DARKROOM_MAX_RERENDERS": "100000"}
OF_THE_MOMENT = {"date", "server-timing", "x-worker"}
PNG = encoded(scenery(67, 45), "PNG")
LARGE = encoded(scenery(900, 800), "PNG")


@pytest.fixture(scope="module")
def direct(imaging: Service, redis_url: str) -> Iterator[httpx.Client]:
    """A gateway without a cache."""
    with (
        faststream("gateway", redis_url, env=ENV) as service,
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def fastapi(imaging: Service, redis_url: str) -> Iterator[httpx.Client]:
    """A gateway whose every answer comes from FastAPI."""
    port = free_port()
    command = [str(BIN / "faststream"), "run", "tests.gateway.fastapi_alone:app"]
    service = Service([*command, "--port", str(port)], port=port, redis_url=redis_url, env=ENV)
    try:
        service.wait_ready()
        with httpx.Client(base_url=service.url, timeout=30) as client:
            yield client
    finally:
        service.close()


Asked = Callable[..., httpx.Response]


@pytest.fixture
def asked(direct: httpx.Client, fastapi: httpx.Client) -> Asked:
    """Ask both gateways, compare all of their answers, and return the one of direct routes."""

    def ask(
        target: str,
        method: str = "GET",
        headers: Any = (),
        before: Callable[[], object] | None = None,
    ) -> httpx.Response:
        lines = [*dict(headers).items()] if isinstance(headers, dict) else [*headers]

        def send(client: httpx.Client) -> httpx.Response:
            if before is not None:
                before()
            request = client.build_request(
                method, "/", headers=[("X-Correlation-ID", "same"), *lines]
            )
            # As it is, which a URL of HTTPX would not be.
            request.extensions["target"] = target.encode()
            return client.send(request)

        if before is None:
            send(direct)  # from now on, a result is stored
        ours, theirs = send(direct), send(fastapi)
        case = (method, target, lines)
        assert ours.status_code == theirs.status_code, case
        assert stable(ours) == stable(theirs), case
        assert ours.content == theirs.content, case
        return ours

    return ask


def stable(answer: httpx.Response) -> list[tuple[str, str]]:
    fields = [one for one in answer.headers.multi_items() if one[0] not in OF_THE_MOMENT]
    if "expires" not in answer.headers:
        return fields
    # Seconds may pass between two answers.
    ticking = ("cache-control", "expires", "x-accel-expires")
    return [
        (name, re.sub(r"\d+|^[A-Z]\w\w,", "N", text) if name in ticking else text)
        for name, text in fields
    ]


def upload(client: httpx.Client, data: bytes = PNG, **query: Any) -> str:
    return str(client.post("/v1/images", content=data, params=query).headers["location"])


@pytest.mark.parametrize(
    "query", ["", "/render", "/render?op=flip&format=auto", "/render?op=resize:width=850", "/none"]
)
def test_conditions_and_ranges(asked: Asked, direct: httpx.Client, query: str) -> None:
    target = upload(direct, LARGE if "850" in query else PNG) + query
    direct.get(target)
    tag = direct.get(target, headers={"Accept": "*/*"}).headers.get("etag", '"n"')
    for method in ("GET", "HEAD"):
        for condition in CONDITIONS:
            lines = condition.items() if isinstance(condition, dict) else condition
            asked(target, method, [(name, text.replace("TAG", tag)) for name, text in lines])


def test_queries(asked: Asked, direct: httpx.Client) -> None:
    image = upload(direct)
    seen = set()
    for query in QUERIES:
        target = f"{image}/render?{query}"
        for method in ("GET", "HEAD"):
            seen.add(asked(target, method).status_code)
        asked(f"{image}?{query}")
    assert seen == {200, 404, 422}


def test_targets(asked: Asked, direct: httpx.Client) -> None:
    image = upload(direct)
    key = image.rpartition("/")[2]
    names = {
        **{"IMAGE": image, "KEY": key, "UPPER": key.upper(), "NONE": "0" * 64},
        **{"FIRST": f"%{ord(key[0]):x}", "REST": key[1:]},
    }
    for pattern in TARGETS:
        target = re.sub("|".join(names), lambda match: names[match[0]], pattern)
        for method in ("GET", "HEAD"):
            asked(target, method)
    for method in ("POST", "PUT", "OPTIONS"):
        asked(f"{image}/render", method)


def test_renders_that_are_not_stored(asked: Asked, direct: httpx.Client) -> None:
    image = upload(direct)
    for query in ("op=flop", "format=auto", f"op=flop&format=webp&{CURRENT}", "op=crop:left=999"):
        for headers in ({}, {"Range": "bytes=1-3"}, {"If-None-Match": "*"}, {"If-Match": '"x"'}):
            answer = asked(
                f"{image}/render?{query}",
                headers=headers,
                before=lambda: direct.delete(f"{image}/renditions"),
            )
            if answer.status_code < 300:
                assert answer.headers["cache-status"] == "darkroom; fwd=miss"


def test_watermarks_and_ends(asked: Asked, direct: httpx.Client, redis_url: str) -> None:
    image, logo = upload(direct), upload(direct, encoded(scenery(9, 7), "PNG"))
    gone = upload(direct, encoded(scenery(9, 6), "PNG"))
    targets = [f"{image}/render?op=watermark:{one.rpartition('/')[2]}" for one in (logo, gone)]
    for target in targets:
        assert direct.get(target).status_code == 200
    direct.delete(gone)
    for target in targets:
        asked(target)
    asked(f"{image}/render?op=watermark:{image.rpartition('/')[2]}")
    ending = upload(direct, encoded(scenery(9, 5), "PNG"), ttl=1000)
    with Redis.from_url(redis_url) as redis:
        name = f"darkroom:image:{ending.rpartition('/')[2]}"
        answers = set()
        for path in (ending, f"{ending}/render", f"{image}/render?op=watermark:{name[-64:]}"):
            direct.get(path)
            for _ in range(2):
                answer = asked(path, before=lambda: redis.pexpire(name, 100_900)).headers
                answers.add(re.sub(r"\d+", "N", answer["x-accel-expires"]))
                told = answer["cache-control"].removeprefix("public, max-age=")
                assert 80 < int(told) <= 100
    assert answers == {"@N"}


def test_damage_and_what_is_no_image(asked: Asked, direct: httpx.Client, redis_url: str) -> None:
    image = upload(direct, encoded(scenery(39, 41), "PNG"))
    target = f"{image}/render?op=flip"
    name = f"darkroom:rendition:{direct.get(target).headers['etag'].strip(chr(34))}"
    with Redis.from_url(redis_url) as redis:
        for headers in ({}, {"Range": "bytes=0-3"}):
            for change in (
                lambda: redis.hset(name, "data", b"other bytes"),
                lambda: redis.hset(name, "digest", "0" * 64),
                lambda: redis.hdel(name, "data"),
            ):
                asked(target, headers=headers, before=change)
        assert asked(target).status_code == 200
        redis.hset(f"darkroom:image:{image.rpartition('/')[2]}", "damaged", 1)
        assert asked(image).status_code == 410
    direct.post("/v1/render", content=b"no image at all")
    no_image = f"/v1/images/{hashlib.sha256(b'no image at all').hexdigest()}"
    for path in (no_image, f"{no_image}/render"):
        assert asked(path).json()["code"] == "image_unreadable"


def test_results_of_jobs(asked: Asked, direct: httpx.Client) -> None:
    key = upload(direct).rpartition("/")[2]
    good = {"operations": [{"op": "grayscale"}], "output": {"format": "webp"}}
    job = ended(direct, submitted(direct, key, good, CROP_OUTSIDE)).json()["id"]
    for index in ("0", "1", "2", "63", "64", "99999", "-1", "00", "01", "x", "0/", "0?a=b", "0?"):
        target = f"/v1/jobs/{job}/results/{index}"
        for headers in ({}, {"Range": "bytes=1-5"}, {"If-None-Match": "*"}, {"If-Match": '"x"'}):
            for method in ("GET", "HEAD"):
                asked(target, method, headers)
    asked(f"/v1/jobs/{'0' * 32}/results/0")


@pytest.mark.parametrize("path", ["", "/render", f"/render?op=flip&format=auto&{CURRENT}"])
@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "TAG"}, {"Range": "bytes=1-3"}])
def test_an_image_and_a_stored_result_take_one_trip_to_redis(
    direct: httpx.Client, redis_url: str, path: str, headers: dict[str, str]
) -> None:
    target = upload(direct) + path
    tag = direct.get(target).headers["etag"]
    lines = {name: text.replace("TAG", tag) for name, text in headers.items()}
    number = 100

    def trips() -> float:
        """Return how often Redis has received commands for a request.

        Workers and gateways report to Redis meanwhile, and as often in as long a time afterwards.
        """
        with Redis.from_url(redis_url) as redis:

            def received() -> int:
                stats: Any = redis.info("stats")
                return int(stats["total_reads_processed"])

            started, before = time.monotonic(), received()
            for _ in range(number):
                assert direct.get(target, headers=lines).status_code in (200, 206, 304)
            after = received()
            time.sleep(time.monotonic() - started)
            return (after - before - (received() - after)) / number

    assert 0.8 < median(trips() for _ in range(3)) < 1.4

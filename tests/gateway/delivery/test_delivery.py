"""The cache in real gateways: it changes no answer, and purges reach it wherever they happen."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.attempts import attempts
from tests.gateway.documented import assert_documented
from tests.gateway.routes.job_requests import ended, submitted
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, wait_until

TRANSIENT = {"date", "x-correlation-id", "server-timing", "x-worker", "age", "cache-status"}
PNG = encoded(scenery(66, 44), "PNG")


def clients(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=30, event_hooks={"response": [assert_documented]})


@pytest.fixture(scope="module")
def other(imaging: Service, redis_url: str) -> Iterator[httpx.Client]:
    """A second gateway with a cache."""
    with faststream("gateway", redis_url) as service, clients(service.url) as client:
        yield client


@pytest.fixture(scope="module")
def plain(imaging: Service, redis_url: str) -> Iterator[httpx.Client]:
    """A gateway without a cache."""
    env = {"DARKROOM_DELIVERY_CACHE": "0"}
    with faststream("gateway", redis_url, env=env) as service, clients(service.url) as client:
        yield client


def upload(client: httpx.Client, data: bytes = PNG, **query: Any) -> str:
    return str(client.post("/v1/images", content=data, params=query).headers["location"])


def is_gone(client: httpx.Client, path: str) -> bool:
    return client.get(path).status_code == 404


def from_memory(client: httpx.Client, path: str) -> httpx.Response:
    """Ask until the answer comes from memory."""
    answers: list[httpx.Response] = []

    def asked() -> bool:
        answers.append(client.get(path).raise_for_status())
        return "age" in answers[-1].headers

    wait_until(asked, every=0.01)
    return answers[-1]


QUERIES = (
    "", "/render", "/render?op=grayscale", "/render?op=grayscale&format=auto",
    "/render?op=grayscale&format=%61uto", "/render?op=resize:width=20&format=jpeg&quality=70",
    "/render?op=melt", "/render?op=grayscale&no=parameter", "/info", "/render?op=crop:left=999",
)  # fmt: skip
REQUESTS: tuple[dict[str, str], ...] = (
    {}, {"Accept": "image/webp,*/*"}, {"Accept": "image/avif"}, {"Range": "bytes=2-5"},
    {"Range": "bytes=999999-"}, {"If-None-Match": "TAG"}, {"If-None-Match": 'W/TAG, "x"'},
    {"If-None-Match": "*"}, {"If-None-Match": '"x"'}, {"If-Match": "TAG"}, {"If-Match": '"x"'},
    {"Range": "bytes=0-3", "If-Range": "TAG"}, {"Prefer": "wait=3"}, {"Cookie": "a=b"},
    {"Cache-Control": "max-age=0"}, {"If-Modified-Since": "Sun, 29 Nov 2026 00:43:55 GMT"},
    {"Origin": "https://example.com"}, {"Host": "elsewhere.example.com"}, {"Content-Length": "0"},
    {"Authorization": "Bearer x"}, {"Connection": "close"},
)  # fmt: skip


def test_every_request_has_the_same_answer_with_the_cache_and_without(
    client: httpx.Client, plain: httpx.Client
) -> None:
    image = upload(client)
    given = 0
    for query in QUERIES:
        for _ in range(3):
            tag = client.get(image + query, headers={"Accept": "*/*"}).headers.get("etag", '"n"')
        for method in ("GET", "HEAD"):
            for request in REQUESTS:
                headers = {name: text.replace("TAG", tag) for name, text in request.items()}
                ours, theirs, ours = (
                    one.request(method, image + query, headers=headers)
                    for one in (client, plain, client)
                )
                case = (query, method, headers)
                given += "age" in ours.headers
                assert ours.status_code == theirs.status_code, case
                if ours.headers.get("content-type") == "application/problem+json":
                    if method == "GET":
                        assert ours.json()["detail"] == theirs.json()["detail"]
                    continue
                assert ours.content == theirs.content, case
                assert stable(ours) == stable(theirs), case
                if "cache-status" in theirs.headers:
                    assert ours.headers["cache-status"] == theirs.headers["cache-status"], case
    assert given > 100


def stable(answer: httpx.Response) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name not in TRANSIENT}


def test_each_answer_has_its_own_correlation_id_and_none_is_logged_as_a_miss(
    client: httpx.Client,
) -> None:
    path = upload(client) + "/render?op=flip"
    from_memory(client, path)
    before = metrics(client)
    mine = client.get(path, headers={"X-Correlation-ID": "mine"})
    first, second = client.get(path), client.get(path)
    assert mine.headers["x-correlation-id"] == "mine"
    assert first.headers["x-correlation-id"] != second.headers["x-correlation-id"]
    assert first.headers["cache-status"] == "darkroom; hit"
    after = metrics(client)
    assert after["darkroom_delivery_hits_total"] - before["darkroom_delivery_hits_total"] == 3
    assert after["darkroom_delivery_misses_total"] == before["darkroom_delivery_misses_total"]
    assert after["darkroom_delivery_bytes"] > len(first.content)


def metrics(client: httpx.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    pairs = (line.split() for line in lines if line.startswith("darkroom_delivery_"))
    return {name: float(value) for name, value in pairs}


def test_a_hit_asks_redis_nothing(client: httpx.Client, redis_url: str) -> None:
    path = upload(client) + "/render?op=flop"
    from_memory(client, path)
    with Redis.from_url(redis_url) as redis:
        redis.config_resetstat()
        for _ in range(20):
            assert "age" in client.get(path).headers
        stats: Any = redis.info("commandstats")
    assert stats.get("cmdstat_hmget", {"calls": 0})["calls"] < 20


def test_a_deletion_reaches_the_caches_of_all_gateways_within_a_second(
    client: httpx.Client, other: httpx.Client
) -> None:
    for attempt in attempts():
        image, logo = upload(client), upload(client, encoded(scenery(9, 8), "PNG"))
        marked = f"{image}/render?op=watermark:{logo.rpartition('/')[2]}"
        kept = f"{image}/render?op=grayscale"
        for path in (marked, kept, logo):
            from_memory(other, path)
            from_memory(client, path)
        assert client.delete(logo).status_code == 204
        with attempt:
            for gateway in (client, other):
                for path in (marked, logo):
                    wait_until(partial(is_gone, gateway, path), seconds=1)
                assert "age" in gateway.get(kept).headers
        assert client.get(marked).status_code == 404


def test_a_deletion_of_results_reaches_the_caches_of_all_gateways(
    client: httpx.Client, other: httpx.Client
) -> None:
    path = upload(client) + "/render?op=rotate:90"
    for gateway in (client, other):
        from_memory(gateway, path)
    assert other.delete(path.partition("/render")[0] + "/renditions").status_code == 204
    wait_until(lambda: "age" not in client.get(path).headers, seconds=5)
    from_memory(client, path)


def test_a_shorter_life_counts_on_all_gateways(client: httpx.Client, other: httpx.Client) -> None:
    image = upload(client, encoded(scenery(31, 29), "PNG"))
    for path in (image, f"{image}/render?op=flip"):
        from_memory(client, path)
    assert other.put(image, json={"ttl": 1}).status_code == 200
    for path in (image, f"{image}/render?op=flip"):
        wait_until(partial(is_gone, client, path), seconds=10)


def test_an_image_expires_in_the_cache_as_well(client: httpx.Client, redis_url: str) -> None:
    for number, attempt in enumerate(attempts(httpx.HTTPStatusError)):
        image = upload(client, encoded(scenery(30, 20 + number), "PNG"))
        paths = (image, f"{image}/render?op=flip")
        with Redis.from_url(redis_url) as redis:
            redis.expire(f"darkroom:image:{image.rpartition('/')[2]}", 2)
        with attempt:  # on a busy machine, the image may be gone before it is in memory
            for path in paths:
                from_memory(client, path)
        for path in paths:
            wait_until(partial(is_gone, client, path), seconds=10)


def test_a_gateway_that_lost_its_subscription_gives_nothing_from_memory(
    client: httpx.Client, redis_url: str
) -> None:
    path = upload(client) + "/render?op=rotate:270"
    from_memory(client, path)
    with Redis.from_url(redis_url) as redis:
        redis.client_kill_filter(_type="pubsub")
        # It has dropped all, and keeps nothing before it hears again.
        wait_until(lambda: metrics(client)["darkroom_delivery_bytes"] == 0, seconds=5, every=0.01)
    from_memory(client, path)


def test_results_of_jobs_are_the_same_with_the_cache_and_without(
    client: httpx.Client, plain: httpx.Client
) -> None:
    key = upload(client).rpartition("/")[2]
    pipeline = {"operations": [{"op": "grayscale"}], "output": {"format": "webp"}}
    job = ended(client, submitted(client, key, pipeline)).json()
    for _ in range(3):
        path = f"/v1/jobs/{job['id']}/results/0"
        ours, theirs = client.get(path), plain.get(path)
        assert (ours.content, stable(ours)) == (theirs.content, stable(theirs))

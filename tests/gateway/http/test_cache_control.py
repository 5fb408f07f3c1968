"""The cache headers of images, results and refusals."""

import math
import re
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest
from redis import Redis

from contracts.imaging import RENDER_VERSION
from services.gateway.http.freshness import freshness
from services.gateway.settings import GatewaySettings
from tests.gateway.routes.job_requests import GRAY, TURN, ended, submitted
from tests.imaging.pictures import encoded, scenery

DAY = 24 * 3600
ENDLESS = f"public, max-age=3600, stale-while-revalidate={DAY}, stale-if-error={DAY}"
IMMUTABLE = "public, max-age=31536000, immutable"
NOBODY = f"/v1/images/{'0' * 64}"


@pytest.fixture(scope="module")
def kept(client: httpx.Client) -> str:
    """The address of an image that is kept until it is deleted."""
    picture = encoded(scenery(71, 53), "PNG")
    return str(client.post("/v1/images", content=picture).headers["location"])


@pytest.fixture(scope="module")
def expiring(client: httpx.Client) -> str:
    """The address of an image that lives for 2000 seconds."""
    return uploaded(client, 72, ttl=2000)


def uploaded(client: httpx.Client, width: int, *, ttl: int) -> str:
    picture = encoded(scenery(width, 53), "PNG")
    answer = client.post("/v1/images", params={"ttl": ttl}, content=picture)
    return str(answer.headers["location"])


def told(answer: httpx.Response) -> str:
    """Return the `Cache-Control` of an answer."""
    return str(answer.headers["cache-control"])


def seconds_in(answer: httpx.Response) -> int:
    """Return for how long an answer may be used, with all extensions."""
    found = {name: int(value) for name, value in re.findall(r"([a-z-]+)=(\d+)", told(answer))}
    return found.pop("max-age") + max(found.values(), default=0)


@pytest.mark.parametrize("path", ["", "/render?op=flip"])
def test_an_image_without_an_end_may_be_used_for_the_set_time(
    client: httpx.Client, kept: str, path: str
) -> None:
    first = client.get(kept + path)
    tag = first.headers["etag"]
    again = [
        client.get(kept + path),
        client.head(kept + path),
        client.get(kept + path, headers={"Range": "bytes=2-5"}),
        client.get(kept + path, headers={"If-None-Match": tag}),
        client.get(kept + path, headers={"If-None-Match": tag, "If-Match": tag}),
    ]
    assert [answer.status_code for answer in (first, *again)] == [200, 200, 200, 206, 304, 304]
    assert {told(answer) for answer in (first, *again)} == {ENDLESS}
    assert not any("expires" in answer.headers for answer in (first, *again))


@pytest.mark.parametrize(
    "path", ["", "/info", "/render?op=flip", f"/render?op=sepia&v={RENDER_VERSION}"]
)
def test_no_image_may_be_used_for_longer_than_it_lives(
    client: httpx.Client, expiring: str, path: str
) -> None:
    for _ in range(2):  # rendered, and stored
        answer = client.get(expiring + path)
        assert answer.status_code == 200
        assert 1900 < seconds_in(answer) <= 2000
        unchanged = client.get(expiring + path, headers={"If-None-Match": answer.headers["etag"]})
        assert unchanged.status_code == 304
        assert 1900 < seconds_in(unchanged) <= 2000


def test_the_end_of_an_image_is_told_as_a_moment_as_well(
    client: httpx.Client, expiring: str
) -> None:
    answer = client.get(f"{expiring}/render?op=sepia")
    moment = parsedate_to_datetime(answer.headers["expires"]).timestamp()
    assert 1900 < moment - time.time() <= 2000
    assert answer.headers["x-accel-expires"] == f"@{moment:.0f}"


def test_a_life_that_is_changed_is_told_at_once(client: httpx.Client) -> None:
    image = uploaded(client, 73, ttl=4000)
    assert 3600 < seconds_in(client.get(image)) <= 4000
    client.put(image, json={"ttl": 100})
    assert 90 < seconds_in(client.get(image)) <= 100
    client.put(image, json={"ttl": None})
    assert told(client.get(image)) == ENDLESS


def test_a_watermark_that_expires_earlier_ends_the_result(client: httpx.Client, kept: str) -> None:
    stamp = uploaded(client, 74, ttl=500).rpartition("/")[2]
    for _ in range(2):
        answer = client.get(f"{kept}/render?op=watermark:{stamp}")
        assert 400 < seconds_in(answer) <= 500


def test_a_url_with_the_current_version_is_immutable(client: httpx.Client, kept: str) -> None:
    version = client.get("/v1/system").json()["render_version"]
    assert version == RENDER_VERSION
    plain = client.get(f"{kept}/render?op=grayscale")
    named = client.get(f"{kept}/render?op=grayscale&v={version}")
    assert (told(plain), told(named)) == (ENDLESS, IMMUTABLE)
    assert named.headers["etag"] == plain.headers["etag"]
    assert named.headers["cache-status"] == "darkroom; hit", "v is no part of the result's key"


@pytest.mark.parametrize("version", [f"{RENDER_VERSION - 1}", f"{RENDER_VERSION + 1}", "", "new"])
def test_a_url_with_another_version_is_answered_for_a_minute(
    client: httpx.Client, kept: str, version: str
) -> None:
    answer = client.get(f"{kept}/render?op=grayscale&v={version}")
    assert (answer.status_code, told(answer)) == (200, "public, max-age=60")


def test_only_renders_take_a_version(client: httpx.Client, kept: str) -> None:
    for path in (kept, f"{kept}/info"):
        refused = client.get(path, params={"v": RENDER_VERSION})
        assert (refused.status_code, told(refused)) == (422, "no-store")


@pytest.mark.parametrize("path", ["", "/info", "/render?op=flip", "/render?op=flip&v=6"])
def test_an_image_that_is_not_there_is_missing_for_seconds(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, NOBODY + path)
        assert (answer.status_code, told(answer)) == (404, "public, max-age=5")


def test_no_other_refusal_is_stored(client: httpx.Client, kept: str) -> None:
    for answer in (
        client.get(f"{kept}/render?op=nothing"),
        client.get(f"{kept}/render?op=crop:left=999"),
        client.get(f"{kept}/render?op=watermark:{'0' * 64}"),
        client.get(f"{kept}/render?format=auto&width=1"),
        client.get(kept, headers={"If-Match": '"other"'}),
        client.get(kept, headers={"Range": "bytes=9999999-"}),
        client.delete(NOBODY),
        client.get(f"/v1/jobs/{'0' * 32}/results/0"),
        client.post("/v1/images", content=b"no image"),
        client.get("/nowhere"),
    ):
        assert answer.is_client_error, answer.url
        assert told(answer) == "no-store", answer.url
        assert "vary" not in answer.headers


def test_results_of_a_job_may_be_used_while_its_record_lives(
    client: httpx.Client, kept: str, redis_url: str
) -> None:
    status = ended(client, submitted(client, kept.rpartition("/")[2], TURN, GRAY))
    job = status.json()["id"]
    with Redis.from_url(redis_url) as redis:
        for left in (redis.ttl(f"darkroom:job:{job}"), 300):
            redis.expire(f"darkroom:job:{job}", left)
            answer = client.get(f"/v1/jobs/{job}/results/1")
            assert re.fullmatch(r"public, max-age=\d+", told(answer))
            assert left - 10 < seconds_in(answer) <= left
    assert told(client.get(f"/v1/jobs/{job}/results")) == "no-store"


def test_an_answer_varies_by_accept_with_format_auto_alone(client: httpx.Client, kept: str) -> None:
    auto, plain = f"{kept}/render?op=sepia&format=auto", f"{kept}/render?op=sepia&format=webp"
    for address, vary in ((auto, "Accept"), (plain, None), (kept, None), (f"{kept}/info", None)):
        answers = [client.get(address), client.get(address), client.head(address)]
        tag = answers[0].headers["etag"]
        answers.append(client.get(address, headers={"If-None-Match": tag}))
        answers.append(client.get(address, headers={"If-None-Match": tag, "If-Match": tag}))
        answers.append(client.get(address, headers={"Range": "bytes=0-3"}))
        assert {answer.headers.get("vary") for answer in answers} == {vary}
    for name, vary in (("auto", "Accept"), ("jpeg", None)):
        posted = client.post(
            "/v1/render", params={"format": name}, content=client.get(kept).content
        )
        assert posted.headers.get("vary") == vary


@pytest.mark.parametrize(
    ("settings", "life", "expected"),
    [
        ({"max_age": 0, "stale_while_revalidate": 0, "stale_if_error": 0}, math.inf, "max-age=0"),
        (
            {"max_age": 60, "stale_while_revalidate": 30, "stale_if_error": 0},
            math.inf,
            "max-age=60, stale-while-revalidate=30",
        ),
        (
            {"max_age": 60, "stale_while_revalidate": 30, "stale_if_error": 90},
            100.9,
            "max-age=60, stale-while-revalidate=30, stale-if-error=40",
        ),
        ({"max_age": 60}, 60.5, "max-age=60"),
        ({"max_age": 60}, 7.9, "max-age=7"),
        ({"max_age": 60}, -3.0, "max-age=0"),
    ],
)
def test_the_times_are_those_of_the_settings_within_the_life(
    settings: dict[str, int], life: float, expected: str
) -> None:
    fields = freshness(GatewaySettings.model_validate(settings), life)
    assert fields["Cache-Control"] == f"public, {expected}"


def test_another_version_is_never_told_longer_than_the_setting() -> None:
    fields = freshness(GatewaySettings(max_age=10), math.inf, "1")
    assert fields == {"Cache-Control": "public, max-age=10"}

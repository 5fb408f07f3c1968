"""The list of kept images, page by page."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from redis import Redis

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery


def uploaded(client: httpx.Client, number: int, query: str = "") -> str:
    picture = encoded(scenery(11 + number, 13), "PNG")
    return str(client.post(f"/v1/images{query}", content=picture).json()["id"])


@pytest.fixture
def images(client: httpx.Client, redis_url: str) -> list[str]:
    """Five images, newest first, and no others in the list."""
    with Redis.from_url(redis_url) as redis:
        redis.delete("darkroom:images:default")
    keys = [uploaded(client, number) for number in range(5)]
    for key in keys:  # earlier runs may have left their records
        client.delete(f"/v1/images/{key}")
    return [uploaded(client, number) for number in range(5)][::-1]


def test_following_the_links_lists_each_image_once(client: httpx.Client, images: list[str]) -> None:
    found, addresses, address = [], [], "/v1/images?limit=2"
    while address:
        answer = client.get(address)
        page = answer.json()
        found += [one["id"] for one in page["images"]]
        assert answer.headers["cache-control"] == "no-store"
        link = answer.headers.get("link", "")
        assert link == (f'<{page["next"]}>; rel="next"' if page["next"] else "")
        addresses.append(address)
        address = page["next"]
    assert found == images
    assert len(addresses) == 3
    assert client.get("/v1/images").json()["next"] is None
    head = client.head("/v1/images?limit=2")
    assert (head.content, head.headers["link"]) == (b"", f'<{addresses[1]}>; rel="next"')


def test_an_entry_says_what_is_known_of_an_image(client: httpx.Client, images: list[str]) -> None:
    passing = uploaded(client, 9, "?ttl=500&label=K%C3%BCche.jpg")
    entry = client.get("/v1/images?limit=1").json()["images"][0]

    assert (
        entry.items()
        >= {
            "id": passing,
            "media_type": "image/png",
            "width": 20,
            "height": 13,
            "label": "Küche.jpg",
        }.items()
    )
    created, expires = (datetime.fromisoformat(entry[name]) for name in ("created", "expires"))
    assert abs(datetime.now(UTC) - created) < timedelta(seconds=30)
    assert abs(expires - created - timedelta(seconds=500)) < timedelta(seconds=30)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["created"])
    other = client.get("/v1/images?limit=2").json()["images"][1]
    assert (other["id"], other["expires"], other["label"]) == (images[0], None, None)


def test_images_of_renders_and_deleted_ones_are_not_listed(
    client: httpx.Client, images: list[str]
) -> None:
    client.post("/v1/render", content=encoded(scenery(30, 31), "PNG"))
    client.delete(f"/v1/images/{images[1]}")
    listed = [one["id"] for one in client.get("/v1/images").json()["images"]]
    assert listed == [images[0], *images[2:]]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "page=2"),
        *("after=", "after=1-abc", f"after={'1' * 16}-{'a' * 64}", f"after=1-{'A' * 64}"),
        f"after=1-{'a' * 64}%0A",
    ],
)
def test_a_wrong_limit_or_position_is_refused(client: httpx.Client, query: str) -> None:
    assert_problem(client.get(f"/v1/images?{query}"), 422, "invalid_request")


def test_any_valid_position_is_answered(client: httpx.Client, images: list[str]) -> None:
    for moment, number in (("0", 0), ("9" * 15, 5)):
        page = client.get(f"/v1/images?after={moment}-{'f' * 64}").json()
        assert len(page["images"]) == number

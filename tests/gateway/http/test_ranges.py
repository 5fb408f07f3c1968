"""Byte ranges of an image (RFC 9110, section 14)."""

import httpx
import pytest

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery

PNG = encoded(scenery(100, 70), "PNG")
SIZE = len(PNG)


@pytest.fixture(scope="module")
def image(client: httpx.Client) -> str:
    return str(client.post("/v1/images", content=PNG).headers["location"])


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("Bytes=10-19", 10, 19),
        ("bytes=10-", 10, SIZE - 1),
        ("bytes=-10", SIZE - 10, SIZE - 1),
        (f"bytes=-{SIZE + 10}", 0, SIZE - 1),
        (f"bytes=5-{SIZE + 10}", 5, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ],
)
def test_one_range_is_answered_with_these_bytes(
    client: httpx.Client, image: str, asked: str, first: int, last: int
) -> None:
    answer = client.get(image, headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.content == PNG[first : last + 1]
    assert answer.headers["etag"] == client.get(image).headers["etag"]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
def test_a_range_after_the_end_is_416(client: httpx.Client, image: str, asked: str) -> None:
    answer = client.get(image, headers={"Range": asked})

    assert_problem(answer, 416, "invalid_request")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=5-4", "bytes=", "bytes=-", "pages=1-2", "bytes=a-b", "bytes=1-2-3"],
)
def test_anything_but_one_range_is_answered_with_all_bytes(
    client: httpx.Client, image: str, asked: str
) -> None:
    answer = client.get(image, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["accept-ranges"] == "bytes"


def test_if_range_with_another_tag_is_answered_with_all_bytes(
    client: httpx.Client, image: str
) -> None:
    tag = client.get(image).headers["etag"]
    part = {"Range": "bytes=0-9"}

    assert client.get(image, headers={**part, "If-Range": tag}).content == PNG[:10]
    for other in ('"other"', f"W/{tag}", "Sat, 31 Jan 2026 12:00:00 GMT"):
        assert client.get(image, headers={**part, "If-Range": other}).content == PNG


def test_a_range_of_an_unchanged_image_is_304(client: httpx.Client, image: str) -> None:
    tag = client.get(image).headers["etag"]

    answer = client.get(image, headers={"Range": "bytes=0-9", "If-None-Match": tag})

    assert answer.status_code == 304


def test_head_ignores_range(client: httpx.Client, image: str) -> None:
    answer = client.head(image, headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))

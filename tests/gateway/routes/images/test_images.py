"""Stored images: upload, fetch, describe, render."""

import hashlib
from datetime import UTC, datetime

import httpx
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD
from redis import Redis

from tests.attempts import attempts
from tests.gateway.refusals import assert_problem
from tests.gateway.routes.images.uploaded import PICTURE, PNG
from tests.imaging.pictures import decoded, encoded, exif_of, psnr, quadrants, scenery
from tests.processes import faststream, valkey


def test_the_same_image_is_stored_once(client: httpx.Client) -> None:
    picture = encoded(scenery(33, 44), "JPEG", exif=exif_of(6))
    digest = hashlib.sha256(picture).hexdigest()

    first = client.post("/v1/images", content=picture)
    again = client.post("/v1/images", files={"file": picture})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == again.headers["location"] == f"/v1/images/{digest}"
    described = first.json()
    created = datetime.fromisoformat(described.pop("created"))
    assert abs((datetime.now(UTC) - created).total_seconds()) < 20
    assert described == {
        "id": digest,
        "media_type": "image/jpeg",
        "width": 44,
        "height": 33,
        "bytes": len(picture),
        "expires": None,
        "label": None,
    }  # fmt: skip
    # The form names its file.
    assert again.json() == first.json() | {"label": "upload"}


def test_an_image_is_returned_unchanged(client: httpx.Client, image: str) -> None:
    answer = client.get(image)

    assert answer.status_code == 200
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == f'"{image.rpartition("/")[2]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_image_of_a_render_has_its_media_type(client: httpx.Client) -> None:
    webp = encoded(scenery(31, 41), "WEBP")
    client.post("/v1/render", content=webp)

    answer = client.get(f"/v1/images/{hashlib.sha256(webp).hexdigest()}")

    assert answer.headers["content-type"] == "image/webp"
    assert answer.content == webp


def test_bytes_that_are_no_image_expire_soon(client: httpx.Client, redis_url: str) -> None:
    refused = client.post("/v1/images", content=b"nothing to see")
    rendered = client.post("/v1/render", content=b"nothing to render")

    assert_problem(refused, 422, "image_unreadable")
    assert_problem(rendered, 422, "image_unreadable")
    key = hashlib.sha256(b"nothing to see").hexdigest()
    assert_problem(client.get(f"/v1/images/{key}"), 422, "image_unreadable")
    with Redis.from_url(redis_url) as redis:
        assert 0 < redis.ttl(f"darkroom:image:{key}") <= 70
        picture = encoded(scenery(9, 9), "PNG")
        image = client.post("/v1/images?ttl=5000", content=picture).json()["id"]
        assert 4900 < redis.ttl(f"darkroom:image:{image}") <= 5000
        assert client.post("/v1/images", content=picture).status_code == 200
        assert redis.ttl(f"darkroom:image:{image}") == -1, "it is kept"


def test_info_describes_the_decoded_image(client: httpx.Client) -> None:
    rotated = encoded(quadrants(80, 60, "L"), "JPEG", exif=exif_of(8))
    address = client.post("/v1/images", content=rotated).headers["location"]

    found = client.get(f"{address}/info").json()

    assert found.items() >= {
        "format": "jpeg",
        "media_type": "image/jpeg",
        "mode": "L",
        "width": 60,
        "height": 80,
        "frames": 1,
        "orientation": 8,
    }.items()  # fmt: skip
    assert len(found["details"]["dhash"]) == 16
    assert found["details"]["dominant"] in found["details"]["palette"]


def test_info_has_the_place_only_on_request(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[IFD.GPSInfo] = {
        GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 22.0, 12.0),
        GPS.GPSLongitudeRef: "E", GPS.GPSLongitude: (8.0, 30.0, 0.0),
    }  # fmt: skip
    there = encoded(quadrants(70, 50), "JPEG", exif=exif)
    address = client.post("/v1/images", content=there).headers["location"]

    for _ in range(2):
        assert client.get(f"{address}/info").json()["details"]["place"] is None
        place = client.get(f"{address}/info", params={"gps": "true"}).json()["details"]["place"]
        assert place == {"latitude": 47.37, "longitude": 8.5, "altitude": None}


def test_the_first_render_is_a_cache_miss_and_the_second_a_hit(client: httpx.Client) -> None:
    picture = scenery(51, 61)
    address = client.post("/v1/images", content=encoded(picture, "PNG")).headers["location"]

    miss = client.get(f"{address}/render?op=rotate:180&format=png")
    hit = client.get(f"{address}/render?op=rotate:180&format=png")

    assert miss.headers["cache-status"] == "darkroom; fwd=miss"
    assert "decode" in miss.headers["server-timing"]
    assert miss.headers["x-worker"]
    assert hit.headers["cache-status"] == "darkroom; hit"
    assert hit.content == miss.content
    assert hit.headers["etag"] == miss.headers["etag"]
    assert psnr(decoded(hit.content), picture.transpose(Image.Transpose.ROTATE_180)) > 60


@pytest.mark.parametrize(
    "header", [{"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0, No-Cache"}]
)
def test_no_cache_renders_again(client: httpx.Client, image: str, header: dict[str, str]) -> None:
    kept = client.get(f"{image}/render?op=flip")

    again = client.get(f"{image}/render?op=flip", headers=header)

    assert again.headers["cache-status"] == "darkroom; fwd=request"
    assert "decode" in again.headers["server-timing"]
    assert again.content == kept.content


def test_stored_results_are_served_without_workers() -> None:
    with valkey() as server:
        url = str(server.connection_url)
        with (
            faststream("gateway", url) as gateway,
            httpx.Client(base_url=gateway.url, timeout=10) as client,
        ):
            with faststream("imaging", url, env={"DARKROOM_SLOTS": "1"}):
                image = client.post("/v1/images", content=PNG).headers["location"]
                assert client.get(f"{image}/info").json()["details"]
                rendered = client.get(f"{image}/render?op=flip")
                assert rendered.status_code == 200
            tag = rendered.headers["etag"]

            assert_problem(client.get(f"{image}/render?op=blur:2"), 503, "no_workers")
            assert client.get(image).content == PNG
            assert client.get(f"{image}/info").json()["width"] == 120
            assert client.post("/v1/images", content=PNG).status_code == 200
            hit = client.get(f"{image}/render?op=flip")
            assert hit.content == rendered.content
            assert hit.headers["cache-status"] == "darkroom; hit"
            unchanged = client.get(f"{image}/render?op=flip", headers={"If-None-Match": tag})
            assert unchanged.status_code == 304


def test_an_upload_without_workers_is_refused_at_once(no_workers: httpx.Client) -> None:
    for attempt in attempts():
        answer = no_workers.post("/v1/images", content=PNG)
        assert_problem(answer, 503, "no_workers")
        with attempt:
            assert answer.elapsed.total_seconds() < 0.5


def test_a_stored_image_can_be_a_watermark(client: httpx.Client, image: str) -> None:
    stamp = client.post("/v1/images", content=encoded(quadrants(20, 20), "PNG")).json()["id"]

    marked = client.get(f"{image}/render?op=watermark:{stamp}")
    gone = client.get(f"{image}/render?op=watermark:{'0' * 64}")

    assert marked.status_code == 200
    assert psnr(decoded(marked.content), PICTURE) < 40
    assert_problem(gone, 404, "not_found")
    assert client.get(image).status_code == 200


def test_a_damaged_result_is_made_anew(client: httpx.Client, redis_url: str, image: str) -> None:
    path = f"{image}/render?op=resize:width=41&format=png"
    first = client.get(path)
    record = f"darkroom:rendition:{first.headers['etag'].strip(chr(34))}"
    with Redis.from_url(redis_url) as redis:
        whole = redis.hget(record, "data")
        assert isinstance(whole, bytes)
        redis.hset(record, "data", bytes(len(whole)))

        again = client.get(path)
        assert again.status_code == 200
        assert again.content == first.content
        assert again.headers["cache-status"] == "darkroom; fwd=miss"
        assert redis.hget(record, "data") == whole
    assert client.get(path).headers["cache-status"] == "darkroom; hit"

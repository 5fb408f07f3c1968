"""POST /v1/render: send an image, receive the result or a job."""

from collections.abc import Callable

import httpx
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from tests.attempts import attempts
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import decoded, encoded, exif_of, psnr, quadrants, scenery
from tests.processes import wait_until

PICTURE = scenery(240, 160)
PNG = encoded(PICTURE, "PNG")
TRANSPORTS = ["channel", "list", "stream"]

Expected = Callable[[Image.Image], Image.Image]

OPERATIONS: list[tuple[str, Expected]] = [
    ("resize:width=120,height=80,fit=fill", lambda image: image.resize((120, 80))),
    ("resize:width=120", lambda image: image.resize((120, 80))),
    ("resize:120", lambda image: image.resize((120, 80))),
    ("resize:width=60,height=60,fit=cover", lambda image: ImageOps.fit(image, (60, 60))),
    ("resize:width=60,height=60,fit=inside", lambda image: image.resize((60, 40))),
    ("resize:width=60,height=60,fit=outside", lambda image: image.resize((90, 60))),
    ("crop:left=10,top=20,width=30,height=40", lambda image: image.crop((10, 20, 40, 60))),
    ("rotate:degrees=90", lambda image: image.transpose(Image.Transpose.ROTATE_270)),
    ("rotate:90", lambda image: image.transpose(Image.Transpose.ROTATE_270)),
    ("rotate:-90.0", lambda image: image.transpose(Image.Transpose.ROTATE_90)),
    ("flip", ImageOps.mirror),
    ("flip:vertical", ImageOps.flip),
    ("flip:axis=horizontal", ImageOps.mirror),
    ("grayscale", ImageOps.grayscale),
    ("blur:4", lambda image: image.filter(ImageFilter.GaussianBlur(4))),
    ("blur:radius=1.5", lambda image: image.filter(ImageFilter.GaussianBlur(1.5))),
    ("sharpen", lambda image: image.filter(ImageFilter.UnsharpMask(2, 100, 0))),
    ("sharpen:amount=0", lambda image: image),
    ("adjust:brightness=0.5", lambda image: ImageEnhance.Brightness(image).enhance(0.5)),
    ("adjust:brightness=1,contrast=1,saturation=1", lambda image: image),
    ("adjust:saturation=0", lambda image: ImageEnhance.Color(image).enhance(0)),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_returns_the_right_picture(client: httpx.Client, transport: str) -> None:
    query = {"op": ["rotate:90", "grayscale"], "transport": transport, "format": "png"}
    picture = scenery(90 + len(transport), 60)

    answer = client.post("/v1/render", params=query, content=encoded(picture, "PNG"))

    turned = picture.transpose(Image.Transpose.ROTATE_270).convert("L")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert psnr(decoded(answer.content).convert("L"), turned) > 45
    assert answer.headers["x-worker"]
    timings = [part.partition(";")[0] for part in answer.headers["server-timing"].split(", ")]
    assert timings == ["queue", "decode", "operations", "encode"]


@pytest.mark.parametrize(("op", "expected"), OPERATIONS, ids=[op for op, _ in OPERATIONS])
def test_every_operation_can_be_written_in_a_query(
    client: httpx.Client, op: str, expected: Expected
) -> None:
    answer = client.post("/v1/render", params={"op": op, "format": "png"}, content=PNG)

    assert answer.status_code == 200, answer.text
    given, wanted = decoded(answer.content).convert("RGB"), expected(PICTURE).convert("RGB")
    assert given.size == wanted.size
    assert psnr(given, wanted) > 28


def test_contain_fills_the_rest_of_the_box(client: httpx.Client) -> None:
    query = {"op": "resize:width=60,height=60,fit=contain", "format": "png"}

    answer = client.post("/v1/render", params=query, content=PNG)

    assert decoded(answer.content).size == (60, 60)


def test_operations_are_applied_in_the_order_of_the_query(client: httpx.Client) -> None:
    ops = ["crop:left=0,top=0,width=40,height=20", "rotate:90"]

    one = client.post("/v1/render", params={"op": ops, "format": "png"}, content=PNG)
    other = client.post("/v1/render", params={"op": ops[::-1], "format": "png"}, content=PNG)

    turned = PICTURE.transpose(Image.Transpose.ROTATE_270)
    assert psnr(decoded(one.content), PICTURE.crop((0, 0, 40, 20)).rotate(-90, expand=True)) > 60
    assert psnr(decoded(other.content), turned.crop((0, 0, 40, 20))) > 60


def test_a_form_with_a_file_is_rendered_like_a_raw_body(client: httpx.Client) -> None:
    query = {"op": "flip", "format": "png"}

    raw = client.post("/v1/render", params=query, content=PNG)
    form = client.post("/v1/render", params=query, files={"file": ("a.png", PNG, "image/png")})

    assert form.status_code == 200
    assert form.content == raw.content


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_the_result_has_the_requested_format(client: httpx.Client, format: str) -> None:
    answer = client.post("/v1/render", params={"format": format, "quality": "90"}, content=PNG)

    assert answer.headers["content-type"] == f"image/{format}"
    image = decoded(answer.content)
    assert image.format == format.upper()
    assert psnr(image.convert("L"), PICTURE.convert("L")) > 28


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_without_a_format_the_result_has_that_of_the_source(
    client: httpx.Client, format: str
) -> None:
    answer = client.post("/v1/render", params={"op": "flip"}, content=encoded(PICTURE, format))

    assert answer.headers["content-type"] == f"image/{format.lower()}"


def test_lower_quality_takes_fewer_bytes(client: httpx.Client) -> None:
    low, high = (
        client.post("/v1/render", params={"format": "jpeg", "quality": quality}, content=PNG)
        for quality in ("20", "95")
    )

    assert len(low.content) < len(high.content) / 2


def test_a_photograph_with_an_orientation_is_turned_upright(client: httpx.Client) -> None:
    rotated = encoded(quadrants(80, 60), "JPEG", exif=exif_of(6), quality=95)

    answer = client.post("/v1/render", params={"format": "png"}, content=rotated)

    upright = quadrants(80, 60).transpose(Image.Transpose.ROTATE_270)
    assert psnr(decoded(answer.content).convert("RGB"), upright) > 25


def test_a_post_ignores_conditions_and_ranges(client: httpx.Client) -> None:
    """If-None-Match and Range are for GET."""
    tag = client.post("/v1/render", content=PNG).headers["etag"]

    answer = client.post(
        "/v1/render", content=PNG, headers={"If-None-Match": tag, "Range": "bytes=0-9"}
    )

    assert answer.status_code == 200
    assert len(decoded(answer.content).tobytes()) == 240 * 160 * 3


def test_no_cache_renders_again(client: httpx.Client) -> None:
    picture = encoded(scenery(70, 50), "PNG")
    client.post("/v1/render", content=picture)

    reused = client.post("/v1/render", content=picture)
    again = client.post("/v1/render", content=picture, headers={"Cache-Control": "no-cache"})

    assert "decode" not in reused.headers["server-timing"]
    assert "decode" in again.headers["server-timing"]
    assert again.content == reused.content


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_workers_refusal_reaches_the_client_over_every_transport(
    client: httpx.Client, transport: str
) -> None:
    answer = client.post("/v1/render", params={"transport": transport}, content=PNG[:-100])

    assert_problem(answer, 422, "image_unreadable")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_too_little_time_is_504_over_every_transport(client: httpx.Client, transport: str) -> None:
    big = encoded(scenery(2000, 1500), "PNG", compress_level=1)
    query = {"op": "blur:90", "format": "avif", "timeout": "0.05", "transport": transport}

    answer = client.post("/v1/render", params=query, content=big)

    assert_problem(answer, 504, "deadline_exceeded")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_without_workers_the_answer_is_503_at_once(
    no_workers: httpx.Client, transport: str
) -> None:
    for attempt in attempts():
        answer = no_workers.post("/v1/render", params={"transport": transport}, content=PNG)
        assert_problem(answer, 503, "no_workers")
        with attempt:
            assert answer.elapsed.total_seconds() < 0.5


def test_respond_async_makes_a_job(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/render",
        params={"op": "flip"},
        content=PNG,
        headers={"Prefer": "respond-async"},
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert int(answer.headers["retry-after"]) >= 1
    address = answer.headers["location"]
    wait_until(lambda: client.get(address).status_code == 302)
    assert client.get(address, follow_redirects=True).headers["content-type"] == "image/png"


def test_a_job_that_ends_in_time_is_answered_with_its_image(client: httpx.Client) -> None:
    now = client.post("/v1/render", params={"op": "flip"}, content=PNG)
    answer = client.post(
        "/v1/render",
        params={"op": "flip"},
        content=PNG,
        headers={"Prefer": "respond-async, wait=25"},
    )
    assert answer.status_code == 200
    assert answer.content == now.content
    assert answer.headers["preference-applied"] == "respond-async, wait=25"


def test_a_job_that_fails_in_time_is_answered_with_its_problem(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/render", content=b"no image", headers={"Prefer": "respond-async, wait=25"}
    )
    assert_problem(answer, 422, "image_unreadable")

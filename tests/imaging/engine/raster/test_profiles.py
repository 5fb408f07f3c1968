"""Colour profiles: converted to sRGB, or kept with unchanged samples."""

import struct

import pytest
from PIL import Image

from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output, Profile
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.pipeline import Rendition
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import RED_IS_BLUE, SRGB, decoded, encoded, pixel, quadrants

HELD = ("jpeg", "png", "webp", "avif", "tiff", "heif")


def written(data: bytes, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


def linear_gray() -> bytes:
    """A gray profile of linear light (ICC.1:2001-04: header, four tags)."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65_536)) for number in numbers)

    white = fixed(0.9642, 1, 0.8249)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"gray\0" + bytes(81),
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IHH", 1, 256, 0),
        b"cprt": b"text" + bytes(4) + b"x" + bytes(3),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        at = 128 + 4 + 12 * len(tags) + len(body)
        table, body = table + name + struct.pack(">II", at, len(tag)), body + tag + bytes(2)
    size = struct.pack(">I", 128 + len(table) + len(body))
    kind = b"\2\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    return size + bytes(4) + kind + white + bytes(48) + table + body


def seen(data: bytes) -> int:
    """The sRGB tone of a gray image, converted by its own profile."""
    return pixel(decode.decode(open_source(data, DEFAULT_LIMITS)).image.convert("L"), 8, 8)[0]


def test_a_kept_profile_keeps_its_samples() -> None:
    data = encoded(Image.new("RGB", (16, 16), (255, 0, 0)), "PNG", icc_profile=RED_IS_BLUE)

    for format in HELD:
        kept = decoded(written(data, format=format, icc=Profile.KEEP, quality=95).data)
        assert kept.info["icc_profile"] == RED_IS_BLUE
        assert pixel(kept, 8, 8)[0] > 240
    gray = Pipeline.model_validate(
        {"operations": [{"op": "grayscale"}], "output": {"format": "jpeg", "icc": "keep"}}
    )
    result = decoded(pipeline.run(data, gray).data)
    assert result.mode == "RGB", "an RGB profile does not apply to gray"
    assert result.info["icc_profile"] == RED_IS_BLUE


def test_a_cmyk_profile_is_converted() -> None:
    data = encoded(quadrants(mode="CMYK"), "JPEG", icc_profile=SRGB)
    result = decoded(written(data, format="jpeg", icc="keep").data)

    assert result.mode == "RGB"
    assert "icc_profile" not in result.info


def test_colours_become_srgb_in_a_format_without_profiles() -> None:
    frames = [Image.new("RGB", (16, 16), (255, 0, step)) for step in (0, 9)]
    still = encoded(frames[0], "PNG", icc_profile=RED_IS_BLUE)
    moving = encoded(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True,
        icc_profile=RED_IS_BLUE,
    )  # fmt: skip
    long = encoded(frames[0], "TIFF", icc_profile=RED_IS_BLUE + bytes(17_000_000))

    for data, format in (
        (still, "gif"),
        (still, "jxl"),
        (moving, "gif"),
        (moving, "auto"),
        (long, "jpeg"),
    ):
        found = decoded(written(data, format=format, icc="keep").data).convert("RGB")
        red, _, blue = pixel(found, 8, 8)
        assert blue > 240 > 20 > red


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("frames", [1, 2])
def test_a_gray_profile_is_kept_or_converted_in_every_format(format: str, frames: int) -> None:
    image, more = Image.new("L", (32, 32), 128), [Image.new("L", (32, 32), 129)] * (frames - 1)
    options = {"save_all": True, "append_images": more} if more else {}
    data = encoded(image, "PNG", icc_profile=linear_gray(), **options)

    assert seen(data) == pytest.approx(188, abs=1)
    for icc in Profile:
        result = written(data, format=format, icc=icc, quality=95).data
        assert seen(result) == pytest.approx(188, abs=3)
    if frames == 1 and format in HELD and format != "webp":
        assert decoded(result).info["icc_profile"] == linear_gray()

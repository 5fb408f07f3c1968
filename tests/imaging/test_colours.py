"""Whatever a file stores becomes sRGB."""

import pytest
from PIL import Image

from tests.imaging.pictures import SRGB, UPRIGHT, corners, encoded, pixel, pixels_of, quadrants

MODES = [
    (quadrants(mode="1"), "PNG", "L"),
    (quadrants(mode="L"), "PNG", "L"),
    (quadrants(mode="L").convert("LA"), "PNG", "LA"),
    (quadrants(mode="P"), "PNG", "RGB"),
    (quadrants(mode="P"), "GIF", "RGB"),
    (quadrants(), "PNG", "RGB"),
    (quadrants(mode="RGBA"), "PNG", "RGBA"),
    (quadrants(mode="CMYK"), "JPEG", "RGB"),
    (quadrants(mode="CMYK"), "TIFF", "RGB"),
    (quadrants(mode="L").convert("I;16"), "PNG", "L"),
    (quadrants(mode="L").convert("I"), "TIFF", "L"),
    (quadrants(mode="L").convert("F"), "TIFF", "L"),
]


@pytest.mark.parametrize(
    ("stored", "format", "mode"), MODES, ids=[f"{i.mode}-{f}" for i, f, _ in MODES]
)
def test_every_mode_becomes_a_work_mode(stored: Image.Image, format: str, mode: str) -> None:
    image = pixels_of(encoded(stored, format))

    assert image.mode == mode
    assert image.size == stored.size


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    assert corners(pixels_of(encoded(quadrants(mode="CMYK"), "JPEG", quality=95))) == UPRIGHT


def test_sixteen_bits_are_scaled_to_eight() -> None:
    stored = Image.new("I;16", (4, 1))
    for x, value in enumerate((0, 257, 0x8080, 65535)):
        stored.putpixel((x, 0), value)
    image = pixels_of(encoded(stored, "PNG"))

    assert [pixel(image, x, 0) for x in range(4)] == [(0,), (1,), (128,), (255,)]


def test_a_transparent_palette_colour_becomes_transparency() -> None:
    stored = Image.new("P", (2, 1))
    stored.putpalette([255, 0, 0, 0, 255, 0])
    stored.putpixel((1, 0), 1)
    for format in ("PNG", "GIF"):
        image = pixels_of(encoded(stored, format, transparency=0))

        assert image.mode == "RGBA"
        assert pixel(image, 0, 0)[3] == 0
        assert pixel(image, 1, 0) == (0, 255, 0, 255)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("alpha", ["", "A"])
def test_colours_pass_through_their_profile(format: str, alpha: str) -> None:
    red_is_blue = SRGB.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    mode = "RGB" if format == "JPEG" else f"RGB{alpha}"
    red = Image.new(mode, (16, 16), (255, 0, 0, 200)[: len(mode)])
    data = encoded(red, format, icc_profile=red_is_blue)
    image = pixels_of(data)

    assert image.mode == mode
    bands = pixel(image, 8, 8)
    assert max(bands[:2]) < 16
    assert bands[2] > 240


def test_a_broken_profile_is_taken_for_none() -> None:
    data = encoded(quadrants(), "PNG", icc_profile=b"not a profile")

    assert corners(pixels_of(data)) == UPRIGHT

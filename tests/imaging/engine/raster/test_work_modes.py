"""Decoding converts every stored mode and depth to sRGB in a work mode."""

import struct
import zlib

import pytest
from PIL import Image

from tests.imaging.forged import chunk
from tests.imaging.pictures import (
    RED_IS_BLUE,
    UPRIGHT,
    corners,
    encoded,
    pixel,
    pixels_of,
    quadrants,
)

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


SIGNED, UNSIGNED = (struct.pack("<HHII", 339, 3, 1, kind) for kind in (2, 1))


def strip(values: list[float], mode: str, *, signed: bool = True) -> bytes:
    """A grayscale TIFF of one row."""
    form = {"I": "i", "F": "f"}[mode]
    row = Image.frombytes(mode, (len(values), 1), struct.pack(f"={len(values)}{form}", *values))
    data = encoded(row, "TIFF")
    return data if signed else data.replace(SIGNED, UNSIGNED)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (strip([0.0, 0.2, 0.5, 1.0], "F"), [0, 51, 128, 255]),
        (strip([-1.0, 0.5, 1.0, 9.5], "F"), [0, 128, 255, 255]),
        (strip([0.0, 51.0, 128.0, 255.0], "F"), [0, 51, 128, 255]),
        (strip([0.0, 13_107.0, 65_535.0], "F"), [0, 51, 255]),
        (strip([0, 700_000_000, 1_400_000_000, 2_100_000_000], "I"), [0, 83, 166, 249]),
        (strip([-5, 0, 13_107, 65_535], "I"), [0, 0, 51, 255]),
        # 2^31 and 2^32 - 1, unsigned.
        (strip([0, 2**30, -(2**31), -1], "I", signed=False), [0, 64, 128, 255]),
        (strip([0, 2**30, 2**31 - 1], "I", signed=False), [0, 64, 127]),
    ],
)
def test_thirty_two_bits_are_scaled_to_eight(data: bytes, shown: list[int]) -> None:
    image = pixels_of(data)

    assert [pixel(image, x, 0) for x in range(image.width)] == [(tone,) for tone in shown]


GRAY, COLOUR = 0, 2


def png_keyed(depth: int, kind: int, key: bytes, samples: bytes, width: int) -> bytes:
    """A PNG of one row with a transparent colour (tRNS)."""
    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    parts = (b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(b"\0" + samples))
    chunks = (chunk(name, body) for name, body in (*parts, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("depth", "key", "samples", "shown"),
    [
        (1, 1, b"\x50", [(0, 255), (255, 0), (0, 255), (255, 0)]),
        (2, 1, b"\x1b", [(0, 255), (85, 0), (170, 255), (255, 255)]),
        (4, 5, b"\x05\xaf", [(0, 255), (85, 0), (170, 255), (255, 255)]),
        (8, 5, b"\0\5\6\xff", [(0, 255), (5, 0), (6, 255), (255, 255)]),
        (
            16,
            0x8000,
            b"\0\0\x80\0\x80\1\xff\xff",
            [(0, 255), (128, 0), (128, 255), (255, 255)],
        ),
    ],
)
def test_the_transparent_gray_of_a_png_becomes_alpha(
    depth: int, key: int, samples: bytes, shown: list[tuple[int, int]]
) -> None:
    image = pixels_of(png_keyed(depth, GRAY, struct.pack(">H", key), samples, width=4))

    assert image.mode == "LA"
    assert [pixel(image, x, 0) for x in range(4)] == shown


def test_the_transparent_colour_of_a_16_bit_png_becomes_alpha() -> None:
    colours = (1000, 2000, 3000), (1001, 2000, 3000), (1000, 2000, 3256), (0, 2000, 3000)
    samples = b"".join(struct.pack(">3H", *colour) for colour in colours)
    image = pixels_of(png_keyed(16, COLOUR, samples[:6], samples, width=4))

    assert image.mode == "RGBA"
    assert [pixel(image, x, 0)[3] for x in range(4)] == [0, 255, 255, 255]
    assert pixel(image, 0, 0)[:3] == (3, 7, 11)


def test_a_transparent_palette_colour_becomes_alpha() -> None:
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
def test_colours_are_converted_by_their_profile(format: str, alpha: str) -> None:
    mode = "RGB" if format == "JPEG" else f"RGB{alpha}"
    red = Image.new(mode, (16, 16), (255, 0, 0, 200)[: len(mode)])
    data = encoded(red, format, icc_profile=RED_IS_BLUE)
    image = pixels_of(data)

    assert image.mode == mode
    bands = pixel(image, 8, 8)
    assert max(bands[:2]) < 16
    assert bands[2] > 240


def test_a_broken_profile_is_ignored() -> None:
    data = encoded(quadrants(), "PNG", icc_profile=b"not a profile")

    assert corners(pixels_of(data)) == UPRIGHT

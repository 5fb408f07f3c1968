"""Formats are recognised by their bytes, and bad sources refused before a pixel is decoded."""

import random

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable, UnsupportedFormat
from contracts.formats import Format
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.formats import plugins
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits
from tests.imaging.pictures import (
    READ,
    UPRIGHT,
    corners,
    encoded,
    exif_of,
    pixels_of,
    png_claiming,
    quadrants,
)

SMALL = Limits(frame_pixels=1_000_000, frames=20, total_pixels=2_000_000)


@pytest.mark.parametrize("format", READ)
def test_each_format_is_recognised_by_its_bytes(format: str) -> None:
    inspected = decode.inspect(encoded(quadrants(), format))

    assert inspected.format == format.lower()
    assert inspected.media_type == f"image/{format.lower()}"
    assert (inspected.width, inspected.height, inspected.frames) == (80, 60, 1)


def test_broken_exif_is_ignored() -> None:
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0nonsense")

    assert decode.inspect(data).orientation == 1
    assert corners(pixels_of(data)) == UPRIGHT


def test_a_huge_canvas_is_refused_before_it_is_decoded() -> None:
    for side in (12_288, 60_000, 2**31 - 1):
        with pytest.raises(ImageTooBig):
            decode.inspect(png_claiming(side, side))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_too_many_frames_are_refused(format: str) -> None:
    frames = [Image.new("L", (8, 8), shade * 8) for shade in range(21)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])

    assert decode.inspect(data).frames == 21
    with pytest.raises(ImageTooBig):
        decode.inspect(data, SMALL)


def test_the_limit_on_total_pixels_counts_all_frames() -> None:
    frames = [Image.new("L", (500, 500), shade) for shade in (0, 50, 100)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    with pytest.raises(ImageTooBig, match="3 frames of 500 x 500"):
        decode.inspect(data, Limits(total_pixels=700_000))


@pytest.mark.parametrize("format", ["BMP", "ICO", "JPEG2000", "PPM", "QOI", "DDS", "EPS"])
def test_an_image_of_another_format_is_unsupported(format: str) -> None:
    with pytest.raises(UnsupportedFormat):
        decode.inspect(encoded(quadrants(), format))


def test_an_svg_is_unsupported() -> None:
    with pytest.raises(UnsupportedFormat):
        decode.inspect(b'<?xml version="1.0"?>\n<svg xmlns="x"/>')


@pytest.mark.parametrize("format", ["HEIF", "JXL"])
def test_a_format_without_its_plugin_is_unsupported_and_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    data = encoded(quadrants(), format)
    monkeypatch.setattr(plugins, "INSTALLED", (Format.JPEG, Format.PNG))

    with pytest.raises(UnsupportedFormat, match=f"extra {format.lower()}"):
        decode.inspect(data)


@pytest.mark.parametrize("data", [b"", b"BM", b"hello, world", b"\xff\xd8\xff", b"{}" * 500])
def test_bytes_that_are_no_image_are_unreadable(data: bytes) -> None:
    with pytest.raises(ImageUnreadable):
        decode.inspect(data)


def test_random_bytes_are_refused_with_a_named_error() -> None:
    dice = random.Random(1)
    for _ in range(300):
        with pytest.raises((ImageUnreadable, UnsupportedFormat)):
            decode.inspect(dice.randbytes(dice.randrange(1, 400)))


def test_the_orientation_comes_from_exif_and_not_from_xmp() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    for format in ("JPEG", "WEBP", "AVIF"):
        for exif, orientation in ((exif_of(3), 3), (Image.Exif(), 1)):
            data = encoded(quadrants(60, 40), format, xmp=packet, exif=exif)
            source = open_source(data, DEFAULT_LIMITS)
            assert (source.orientation, source.size) == (orientation, (60, 40))
            assert source.image.info["xmp"] == packet

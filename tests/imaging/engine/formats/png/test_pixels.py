"""The pixels of a PNG: exact, no larger than Pillow's files, and without a limit by memory."""

import io
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from contracts.formats import Format
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.formats.png import pixels as png_pixels
from services.imaging.engine.formats.png.file import chunks
from services.imaging.engine.metadata.policy import KeptMetadata
from tests.imaging.pictures import SRGB, WORK_MODES, encoded, scenery


def noise(width: int, height: int) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise((width, height), 90) for _ in "RGB"])


def gray_noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 20).convert("RGB")


def drawing(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for top in range(0, height, 14):
        draw.text((4, top), "the quick brown fox jumps over the lazy dog", fill="black")
    return image


def photograph(width: int, height: int) -> Image.Image:
    """Return soft shapes with grain."""
    soft = noise(width // 40 + 1, height // 40 + 1).resize((width, height))
    return Image.blend(soft, noise(width, height), 0.05)


DRAWN = (noise, gray_noise, scenery, drawing, photograph)


def png(image: Image.Image) -> bytes:
    return encode(image, Encoding(Format.PNG), quality=80)


def filters_of(data: bytes, mode: str) -> set[int]:
    """Return the filter types of a PNG's rows."""

    pixels = zlib.decompress(
        b"".join(bytes(body) for name, body in chunks(data) if name == b"IDAT")
    )
    width = Image.open(io.BytesIO(data)).width
    return set(pixels[:: 1 + width * len(mode)])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 9), (333, 130), (1500, 64)])
@pytest.mark.parametrize("mode", WORK_MODES)
def test_every_pixel_comes_back(mode: str, size: tuple[int, int]) -> None:
    for draw in DRAWN:
        image = draw(*size).convert(mode)
        if mode.endswith("A"):
            image.putalpha(Image.radial_gradient("L").resize(size))
        with Image.open(io.BytesIO(png(image))) as found:
            assert (found.mode, found.size) == (mode, size)
            assert found.tobytes() == image.tobytes(), draw.__name__


@pytest.mark.parametrize("size", [(1, 1), (7, 9)])
@pytest.mark.parametrize("mode", ["1", "P", "I;16"])
def test_a_picture_in_another_mode_is_written_by_pillow(mode: str, size: tuple[int, int]) -> None:
    image = Image.new(mode, size, 1)
    assert not png_pixels.supports(image)
    with Image.open(io.BytesIO(png(image))) as found:
        assert (found.mode, found.size) == (mode, size)
        assert found.tobytes() == image.tobytes()


@pytest.mark.parametrize("draw", DRAWN)
def test_a_file_is_no_larger_than_pillows(draw: Callable[[int, int], Image.Image]) -> None:
    image = draw(640, 480)
    assert len(png(image)) <= 1.02 * len(encoded(image, "PNG", compress_level=3))


@pytest.mark.parametrize(("draw", "expected"), [(drawing, {0}), (photograph, {3})])
def test_the_filter_suits_the_picture(
    draw: Callable[[int, int], Image.Image], expected: set[int]
) -> None:
    assert filters_of(png(draw(640, 480)), "RGB") == expected


def test_a_smooth_picture_has_the_filters_that_pillow_chooses_for_each_row() -> None:
    gradient = Image.radial_gradient("L").resize((600, 500), Image.Resampling.BICUBIC)
    assert len(filters_of(png(gradient), "L")) > 1


def test_a_picture_of_more_bytes_than_fit_is_written_by_pillow() -> None:
    image = Image.new("RGB", (3000, png_pixels.MAX_BYTES // 9000 + 1), "teal")
    assert png(image) == encoded(image, "PNG", compress_level=3)


def test_metadata_and_profile_are_those_that_pillow_writes() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    kept = KeptMetadata(exif=exif.tobytes(), xmp=b"<x/>")
    image = photograph(90, 60)
    found = chunks(encode(image, Encoding(Format.PNG, metadata=kept, profile=SRGB), quality=80))
    names = {name: bytes(body) for name, body in found}
    assert set(names) == {b"IHDR", b"iCCP", b"iTXt", b"eXIf", b"IDAT", b"IEND"}
    expected = encoded(image, "PNG", exif=kept.exif, icc_profile=SRGB)
    for name, body in chunks(expected):
        assert name == b"IDAT" or names[name] == body

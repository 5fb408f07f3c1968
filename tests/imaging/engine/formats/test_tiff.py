"""A TIFF of any samples is read exactly, or refused by the name of what it holds."""

import struct
from typing import Any

import pytest
from PIL import Image, ImageChops

from bench.exact.pictures import odd_tiff
from bench.exact.pictures import tiff as usual_tiffs
from bench.exact.pictures.odd_tiff import SAMPLES, Layout, Samples, tiff
from bench.exact.pictures.scene import SIZE, scene
from contracts.errors import ImageTooBig, ImageUnreadable, UnsupportedFormat
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits
from tests.imaging import forged_tiff
from tests.imaging.pictures import encoded, pixel, pixels_of, quadrants, same

FLOAT, INTEGER = SAMPLES[8], SAMPLES[1]
ROTATED = ((0x0112, 3, (6,)),)
CMYK_WITH_ALPHA = forged_tiff.tiff(
    (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 5),
    (273, 4, 1, 8), (277, 3, 1, 5), (279, 4, 1, 320), (338, 3, 1, 2),
).ljust(400, b"\0")  # fmt: skip


def expected(name: str) -> Image.Image:
    """The picture of a file, by its name."""
    kind = name.removeprefix("tiff ").split(", ")[0]
    if kind == "gray":
        gray = scene("L")
        return ImageChops.invert(gray) if "white is 0" in name else gray
    mode = {"gray with alpha": "LA", "colour": "RGB", "colour with alpha": "RGBA"}.get(kind)
    if kind == "CMYK":
        return scene("CMYK").convert("RGB")
    return scene(mode) if mode else scene("RGBA").convert("RGB")


def test_samples_of_every_kind_and_layout_are_read_exactly() -> None:
    seen = 0
    for name, data in odd_tiff.stills():
        seen += 1
        read, right = pixels_of(data), expected(name)
        if "8 bit signed" in name:
            # 128 levels.
            read, right = (image.point(lambda value: value & 0xFE) for image in (read, right))
        assert same(read, right), name
    assert seen > 300


def test_usual_tiffs_are_read() -> None:
    exact = 0
    for name, data in usual_tiffs.stills():
        read = pixels_of(data)
        assert read.size in (SIZE, SIZE[::-1])
        # The kinds that no other decoder shows in the same way.
        if name.startswith(("tiff CMYK", "tiff colour with a fourth sample")):
            exact += 1
            assert same(read, expected(name)), name
    assert exact > 0, exact


def test_a_16_bit_gray_big_endian_tiff_is_inspected_and_rendered() -> None:
    data = tiff(SAMPLES[0], 1, "L", order=">")

    assert inspect_pixels(data).width == SIZE[0]
    assert pipeline.run(data, Pipeline()).width == SIZE[0]


def test_12_bit_gray_has_its_whole_range() -> None:
    rows = b"\xff\xf8\x00\x00\x00\x00"
    entries = forged_tiff.gray(4, 1, (273, 4, 1, 200), (278, 4, 1, 1), (279, 4, 1, 6))
    deep = [(258, 3, 1, 12), *(entry for entry in entries if entry[0] != 258)]
    image = pixels_of(forged_tiff.tiff(*deep).ljust(200, b"\0") + rows)

    assert [pixel(image, x, 0) for x in range(4)] == [(255,), (128,), (0,), (0,)]


def test_colours_share_one_white_and_numbers_below_zero_are_black() -> None:
    strip = struct.pack("<6f", 255, 127.5, -1, 0, 51, 300)
    image = pixels_of(of_colours(strip, 3))

    assert pixel(image, 1, 0) == (0, 0, 1), "a number above 255: white is 65,535"
    assert pixel(pixels_of(of_colours(struct.pack("<6f", 1, 0.5, -1, 0, 0.2, 4), 3)), 0, 0) == (
        255, 128, 0,
    )  # fmt: skip


def of_colours(strip: bytes, sample_format: int) -> bytes:
    """A TIFF of two pixels in colour, of 32 bits a sample."""
    entries = [
        (256, 4, 1, 2), (257, 4, 1, 1), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 200), (277, 3, 1, 3), (278, 4, 1, 1), (279, 4, 1, 24),
        (339, 3, 1, sample_format),
    ]  # fmt: skip
    return forged_tiff.tiff(*entries).ljust(200, b"\0") + strip


def test_a_deep_tiff_is_turned_by_its_orientation() -> None:
    for samples in (FLOAT, INTEGER, Samples("8 bit", 1, 8, "B", 255)):
        data = tiff(samples, 2, "RGB", tags=ROTATED)
        assert decode.inspect(data).orientation == 6
        assert decode.inspect(data).width == SIZE[1]
        assert same(pixels_of(data), scene().transpose(Image.Transpose.ROTATE_270))


def test_each_page_of_a_tiff_is_decoded() -> None:
    pages = [Image.new("F", (8, 8), shade) for shade in (0.2, 0.8)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    source = open_source(data, DEFAULT_LIMITS)

    for number, shade in ((0, 51), (1, 204), (0, 51)):
        assert pixel(decode.decode_frame(source, number).image, 3, 3) == (shade,)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (tiff(SAMPLES[0], 8, "RGB"), "16-bit CIELab samples"),
        (CMYK_WITH_ALPHA, "8-bit CMYK samples and 1 extra"),
        (tiff(FLOAT, 2, "RGB", compression=50_001), "floating-point RGB.*compressed as WebP"),
        (tiff(SAMPLES[0], 2, "RGB", compression=34_712), "compressed as JPEG 2000"),
        (tiff(SAMPLES[0], 2, "RGB", compression=99), "compressed as code 99"),
        (tiff(INTEGER, 2, "RGB", layout=Layout("", predictor=2)), "with predictor 2"),
        (tiff(Samples("complex", 6, 64, "d", 1), 1, "L"), "64-bit complex gray"),
        (tiff(SAMPLES[0], 3, "L"), "16-bit palette"),
        (tiff(SAMPLES[0], 32_803, "L"), "raw camera"),
        (tiff(SAMPLES[0], 77, "L"), "photometric 77"),
        (struct.pack(">2s3HQ", b"MM", 43, 8, 0, 16) + bytes(500), "BigTIFF in big-endian"),
    ],
)
def test_a_kind_that_is_not_read_is_named(data: bytes, detail: str) -> None:
    with pytest.raises(UnsupportedFormat, match=detail):
        decode.inspect(data)


def test_a_tiff_without_all_of_its_strips_is_unreadable() -> None:
    for layout in (Layout(""), Layout("", deflated=True), Layout("", tiled=True)):
        whole = tiff(FLOAT, 2, "RGB", layout=layout)
        at = whole.index(struct.pack("<HHI", 273 if not layout.tiled else 324, 4, 7)[:4])
        few = whole[: at + 4] + struct.pack("<I", 1) + whole[at + 8 :]
        with pytest.raises(ImageUnreadable):
            pixels_of(few)


def test_deep_samples_have_a_limit() -> None:
    data = tiff(FLOAT, 2, "RGB")

    with pytest.raises(ImageTooBig, match="samples of more than 8 bits"):
        open_source(data, Limits(frame_pixels=3 * SIZE[0] * SIZE[1] - 1))


def test_a_tiff_of_8_bits_is_read_by_pillow_alone() -> None:
    image: Any = open_source(encoded(quadrants(), "TIFF"), DEFAULT_LIMITS).image

    assert image.deep_samples == 0

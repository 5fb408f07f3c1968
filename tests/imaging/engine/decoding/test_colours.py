"""Colours that a file tells by numbers: chunks of PNG, boxes of AVIF and HEIF, tags of ICC."""

import pytest
from PIL import Image

from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.raster import icc
from services.imaging.engine.raster.colours import SRGB, Space
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.animations import animation
from tests.imaging.coloured import (
    ADOBE_RGB,
    BT_709,
    DISPLAY_P3,
    SRGB_CHUNK,
    chrm,
    cicp,
    clli,
    gama,
    iccp,
    jxl_with,
    png_with,
    with_chunks,
    with_code_points,
    with_peak,
    with_profile_code_points,
)
from tests.imaging.forged import chunk
from tests.imaging.pictures import RED_IS_BLUE, decoded, encoded, pixel, pixels_of
from tests.imaging.pictures import SRGB as SRGB_PROFILE

COLOUR = (150, 110, 90)
UNCHANGED = COLOUR
# The colour as Chromium 156 shows it, by what the file says.
LINEAR = (202, 176, 160)
P3, P3_REVERSED = (157, 108, 86), (85, 111, 153)
P3_LINEAR, ADOBE_LINEAR = (207, 174, 158), (211, 176, 160)
SWAPPED = (90, 110, 150)
PQ, HLG = (233, 69, 50), (134, 80, 67)


def picture(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (16, 16), COLOUR).convert(mode)


def seen(data: bytes) -> tuple[int, ...]:
    return pixel(pixels_of(data), 8, 8)


@pytest.mark.parametrize(
    ("chunks", "shown"),
    [
        ([], UNCHANGED),
        ([gama(1)], LINEAR),
        ([gama(0.45455)], UNCHANGED),
        ([gama(0.47)], UNCHANGED),
        ([gama(0)], UNCHANGED),
        ([chunk(b"gAMA", bytes(3) + b"\1")], UNCHANGED),
        ([chrm(*DISPLAY_P3)], UNCHANGED),
        ([gama(1), chrm(*DISPLAY_P3)], P3_LINEAR),
        ([gama(1), chrm(*BT_709)], LINEAR),
        ([gama(1), chrm(*(0.3,) * 8)], UNCHANGED),
        ([gama(1), chrm(*(0.0,) * 8)], UNCHANGED),
        ([SRGB_CHUNK, gama(1), chrm(*DISPLAY_P3)], UNCHANGED),
        ([gama(1), gama(0.5)], LINEAR),
        ([cicp(12, 13)], P3),
        ([cicp(1, 13)], UNCHANGED),
        ([cicp(1, 8)], LINEAR),
        ([cicp(12, 13, matrix=1)], UNCHANGED),
        ([cicp(12, 13, full_range=0)], UNCHANGED),
        ([cicp(2, 2), gama(1)], LINEAR),
        ([chunk(b"cICP", b"\x0c\x0d")], UNCHANGED),
        ([cicp(9, 16)], PQ),
        ([cicp(9, 18)], HLG),
        ([iccp(RED_IS_BLUE)], SWAPPED),
        # Of several the first counts: cICP, iCCP, sRGB, gAMA.
        ([iccp(RED_IS_BLUE), gama(1)], SWAPPED),
        ([iccp(RED_IS_BLUE), SRGB_CHUNK], SWAPPED),
        ([iccp(RED_IS_BLUE), cicp(12, 13)], P3),
        ([iccp(RED_IS_BLUE), cicp(1, 13)], UNCHANGED),
        ([iccp(b"nonsense"), gama(1)], LINEAR),
        ([iccp(b"nonsense"), SRGB_CHUNK, gama(1)], UNCHANGED),
        ([iccp(with_profile_code_points(SRGB_PROFILE, 9, 16))], PQ),
        ([iccp(with_profile_code_points(RED_IS_BLUE, 12, 13))], P3),
        ([iccp(with_profile_code_points(RED_IS_BLUE, 1, 13))], UNCHANGED),
        ([iccp(with_profile_code_points(RED_IS_BLUE, 2, 13))], SWAPPED),
    ],
)
def test_a_png_has_the_colours_that_its_chunks_tell(
    chunks: list[bytes], shown: tuple[int, ...]
) -> None:
    assert seen(png_with(picture(), *chunks)) == pytest.approx(shown, abs=2)


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("primaries", "transfer", "shown"),
    [
        (1, 13, UNCHANGED),
        (12, 13, P3),
        (12, 1, P3),
        (12, 2, P3),
        (2, 8, LINEAR),
        (2, 2, UNCHANGED),
        (12, 10, UNCHANGED),
        (9, 16, PQ),
        (9, 18, HLG),
    ],
)
def test_an_avif_and_a_heif_have_the_colours_of_their_code_points(
    format: str, primaries: int, transfer: int, shown: tuple[int, ...]
) -> None:
    data = with_code_points(_exact(format), primaries, transfer)

    # The encoders change a sample by 1 or 2; in PQ a sample is up to 4 of sRGB.
    assert seen(data) == pytest.approx(shown, abs=5)


def _exact(format: str, **options: object) -> bytes:
    chroma = {"subsampling": "4:4:4"} if format == "AVIF" else {"chroma": "444"}
    return encoded(picture(), format, quality=100, **chroma, **options)


@pytest.mark.parametrize(
    ("primaries", "transfer", "shown"),
    [(11, 13, P3), (1, 8, LINEAR), (1, 1, UNCHANGED), (9, 16, PQ), (9, 18, HLG)],
)
def test_a_jpeg_xl_has_the_colours_of_its_header(
    primaries: int, transfer: int, shown: tuple[int, ...]
) -> None:
    data = jxl_with(encoded(picture(), "JXL", lossless=True), primaries, transfer)

    assert seen(data) == pytest.approx(shown, abs=2)


def test_the_brightest_pixel_decides_how_highlights_are_mapped() -> None:
    avif = with_code_points(_exact("AVIF"), 9, 16)
    png = [png_with(picture("L"), cicp(9, 16), *more) for more in ([], [clli(4000)], [clli(300)])]

    assert seen(with_peak(avif, 300)) != seen(avif)
    assert seen(png[2]) > seen(png[0])
    assert [open_source(data, DEFAULT_LIMITS).colours for data in png] == [
        open_source(with_peak(avif, peak) if peak else avif, DEFAULT_LIMITS).colours
        for peak in (0, 4000, 300)
    ]


def test_broken_boxes_tell_no_colours() -> None:
    avif = with_code_points(_exact("AVIF"), 12, 13)

    assert isinstance(open_source(avif, DEFAULT_LIMITS).colours, Space)
    for name in (b"colr", b"nclx"):
        assert open_source(avif.replace(name, b"free"), DEFAULT_LIMITS).colours == SRGB


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_gray_palettes_and_alpha_are_converted(mode: str) -> None:
    image = picture(mode)
    if mode == "RGBA":
        image.putalpha(77)
    result = pixels_of(png_with(image, gama(1)))

    assert pixel(pixels_of(png_with(image)), 8, 8) != pixel(result, 8, 8) or mode == "1"
    assert result.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    if mode == "RGBA":
        assert pixel(result, 8, 8) == pytest.approx((*LINEAR, 77), abs=1)


@pytest.mark.parametrize("depth", [8, 16])
def test_gray_of_both_depths_is_converted_alike(depth: int) -> None:
    gray = Image.new("L", (16, 16), 128)
    image = gray if depth == 8 else Image.new("I;16", (16, 16), 128 * 257)

    assert seen(png_with(image, gama(1))) == (188,)


def test_every_frame_is_converted() -> None:
    frames = [picture(), Image.new("RGB", (16, 16), COLOUR[::-1])]
    apng = with_chunks(animation("PNG", frames), cicp(12, 13))
    sequence = animation("AVIF", frames, quality=100, subsampling="4:4:4")

    for data in (apng, with_code_points(sequence, 12, 13)):
        source = open_source(data, DEFAULT_LIMITS)
        for number, shown in enumerate((P3, P3_REVERSED)):
            image = decode.decode_frame(source, number).image
            assert pixel(image, 8, 8)[:3] == pytest.approx(shown, abs=4)


@pytest.mark.parametrize("icc_field", ["srgb", "keep"])
@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "gif"])
def test_a_result_looks_like_its_source(format: str, icc_field: str) -> None:
    asked = Pipeline.model_validate(
        {"output": {"format": format, "icc": icc_field, "quality": 100 if format != "gif" else 80}}
    )
    for source, shown in (
        (png_with(picture(), cicp(12, 13)), P3),
        (png_with(picture(), cicp(9, 16)), PQ),
        (png_with(picture(), gama(1), chrm(*ADOBE_RGB)), ADOBE_LINEAR),
        (with_code_points(_exact("AVIF"), 12, 13), P3),
    ):
        result = pipeline.run(source, asked).data
        assert seen(result)[:3] == pytest.approx(shown, abs=6)


def test_a_profile_is_made_to_keep_the_samples() -> None:
    keep = Pipeline.model_validate({"output": {"format": "png", "icc": "keep"}})
    colour, gray = (
        decoded(pipeline.run(png_with(picture(mode), gama(1)), keep).data) for mode in ("RGB", "L")
    )

    assert pixel(colour, 8, 8) == COLOUR
    assert icc.space_of(colour.info["icc_profile"]) == icc.RGB
    assert pixel(gray, 8, 8) == pixel(picture("L"), 8, 8)
    assert icc.space_of(gray.info["icc_profile"]) == icc.GRAY


def test_a_profile_with_code_points_is_kept_as_it_is() -> None:
    keep = Pipeline.model_validate({"output": {"format": "png", "icc": "keep"}})
    for points in ((12, 13), (1, 13)):
        profile = with_profile_code_points(SRGB_PROFILE, *points)
        result = decoded(pipeline.run(png_with(picture(), iccp(profile)), keep).data)

        assert pixel(result, 8, 8) == COLOUR
        assert result.info["icc_profile"] == profile


def test_info_names_the_colours() -> None:
    named = with_profile_code_points(SRGB_PROFILE, 12, 13)
    for data, name in (
        (png_with(picture(), iccp(named)), "sRGB built-in"),
        (png_with(picture(), cicp(12, 13)), "CICP 12/13"),
        (png_with(picture(), cicp(9, 16)), "CICP 9/16"),
        (png_with(picture(), gama(1)), "gAMA 1"),
        (png_with(picture(), gama(0.45455)), None),
    ):
        details = inspect_pixels(data).details
        assert details is not None
        assert details.profile == name

"""Inspection of pixels and metadata."""

import base64
import math
import time

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from contracts.details import Details, Place
from services.imaging.engine.decoding import decode
from services.imaging.engine.inspection.hashes import dhash, thumbhash
from services.imaging.engine.inspection.inspect import inspect_pixels
from tests.imaging.animations import ANIMATED_FORMATS, DURATIONS, animation, moving_square
from tests.imaging.pictures import READ, SRGB, encoded, exif_of, quadrants, scenery


def details(data: bytes, *, place: bool = False) -> Details:
    found = inspect_pixels(data, place=place).details
    assert found is not None
    return found


def photograph(**more: object) -> bytes:
    exif = Image.Exif()
    exif[Base.Make] = "Canon\0"
    exif[Base.Model] = " EOS R5 "
    exif[Base.Copyright] = "Ada"
    exif[IFD.Exif] = {
        Base.ExposureTime: IFDRational(1, 250),
        Base.FNumber: 2.8,
        Base.ISOSpeedRatings: 400,
        Base.FocalLength: 35.0,
        Base.Flash: 0x19,
        Base.LensModel: "RF35mm",
        Base.DateTimeOriginal: "2026:05:04 10:20:30",
        Base.OffsetTimeOriginal: "+02:00",
    }
    exif[IFD.GPSInfo] = {
        GPS.GPSLatitudeRef: "S",
        GPS.GPSLatitude: (33.0, 51.0, 25.2),
        GPS.GPSLongitudeRef: "E",
        GPS.GPSLongitude: (151.0, 12.0, 54.0),
        GPS.GPSAltitude: 58.5,
        GPS.GPSAltitudeRef: b"\0",
    }
    return encoded(scenery(), "JPEG", exif=exif, **more)


@pytest.mark.parametrize("format", READ)
def test_the_header_is_equal_with_and_without_pixels(format: str) -> None:
    data = encoded(quadrants(), format)

    assert inspect_pixels(data).model_copy(update={"details": None}) == decode.inspect(data)


def test_exif_of_a_shot_is_read_in_units() -> None:
    shot = details(photograph()).shot

    assert (shot.make, shot.model, shot.lens) == ("Canon", "EOS R5", "RF35mm")
    assert shot.taken_at == "2026-05-04T10:20:30+02:00"
    assert (shot.exposure, shot.aperture, shot.iso) == (0.004, 2.8, 400)
    assert (shot.focal_length, shot.flash, shot.copyright) == (35, True, "Ada")
    assert shot.artist is None


def test_the_place_is_read_only_on_request() -> None:
    data = photograph()

    assert details(data).place is None
    assert details(data, place=True).place == Place(
        latitude=-33.857, longitude=151.215, altitude=58.5
    )


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Base.ExposureTime, IFDRational(1, 0)),
        (Base.FNumber, float("nan")),
        (Base.ISOSpeedRatings, (0, 0, 0)),
        (Base.DateTimeOriginal, "yesterday"),
        (Base.DateTimeOriginal, "0000:00:00 00:00:00"),
        (Base.DateTimeOriginal, "2024:13:99 25:61:61"),
        (Base.LensModel, "x" * 5000),
    ],
)
def test_exif_out_of_range_is_dropped_or_shortened(tag: int, value: object) -> None:
    exif = Image.Exif()
    exif[IFD.Exif] = {tag: value}
    shot = details(encoded(quadrants(), "JPEG", exif=exif)).shot

    assert (shot.exposure, shot.aperture, shot.taken_at) == (None, None, None)
    assert len(shot.lens or "") <= 200


def test_the_profile_name_is_read() -> None:
    assert details(encoded(quadrants(), "PNG", icc_profile=SRGB)).profile == "sRGB built-in"
    assert details(encoded(quadrants(), "PNG", icc_profile=b"nonsense")).profile is None
    assert details(encoded(quadrants(), "PNG")).profile is None


@pytest.mark.parametrize("source", ANIMATED_FORMATS)
def test_an_animation_has_a_duration(source: str) -> None:
    assert details(animation(source, moving_square())).duration == sum(DURATIONS)
    assert details(encoded(quadrants(), source)).duration == 0


def test_the_default_image_of_an_apng_has_no_duration() -> None:
    data = animation("PNG", [quadrants(64, 48), *moving_square()], default_image=True)

    assert details(data).duration == sum(DURATIONS)
    assert inspect_pixels(data).frames == len(DURATIONS)


def test_the_palette_is_ordered_by_frequency() -> None:
    image = Image.new("RGB", (100, 100), (10, 20, 200))
    image.paste((250, 250, 0), (0, 0, 100, 30))
    found = details(encoded(image, "PNG"))

    assert found.dominant == found.palette[0] == "#0a14c8"
    assert "#fafa00" in found.palette[:3]


def test_the_small_image_rounds_half_a_pixel_up() -> None:
    stripes = Image.new("RGB", (128, 5), "red")
    stripes.paste((0, 255, 0), (0, 2, 128, 3))
    stripes.paste((0, 0, 255), (0, 3, 128, 5))

    assert len(details(encoded(stripes, "PNG")).palette) == 3


def test_transparent_pixels_add_no_colour_to_the_palette() -> None:
    image = Image.new("RGBA", (90, 90), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 20, 90))

    assert details(encoded(image, "PNG")).palette == ("#0000ff",)
    assert details(encoded(Image.new("RGBA", (9, 9)), "PNG")).dominant == "#ffffff"


def test_a_thumbhash_has_the_mean_colour_and_the_shape() -> None:
    for size, colour in (((90, 30), (200, 40, 40)), ((40, 80), (20, 120, 220))):
        found = base64.b64decode(thumbhash(Image.new("RGB", size, colour)))
        header, shape = int.from_bytes(found[:3], "little"), int.from_bytes(found[3:5], "little")
        luma, yellow_blue, red_green = header & 63, header >> 6 & 63, header >> 12 & 63
        light, p, q = luma / 63, yellow_blue / 31.5 - 1, red_green / 31.5 - 1
        blue = light - 2 / 3 * p
        red = (3 * light - blue + q) / 2

        assert [red, red - q, blue] == pytest.approx([band / 255 for band in colour], abs=0.04)
        assert bool(shape >> 15) == (size[0] > size[1])
        assert not header >> 23, "no transparency"
        across, down = (7, shape & 7) if shape >> 15 else (shape & 7, 7)
        assert across / down == pytest.approx(size[0] / size[1], rel=0.25)


def test_a_thumbhash_follows_its_definition() -> None:
    """Computes each coefficient by itself, as the reference implementation does."""
    image = scenery(40, 30)
    red, green, blue = (list(band.tobytes()) for band in image.split())
    found = base64.b64decode(thumbhash(image))
    luma = [(r + g + b) / 3 / 255 for r, g, b in zip(red, green, blue, strict=True)]
    coefficients = []
    for cy in range(5):
        for cx in range(7):
            if cx * 5 < 7 * (5 - cy) and cx + cy:
                coefficients.append(
                    sum(
                        luma[x + 40 * y]
                        * math.cos(math.pi / 40 * cx * (x + 0.5))
                        * math.cos(math.pi / 30 * cy * (y + 0.5))
                        for y in range(30)
                        for x in range(40)
                    )
                    / 1200
                )
    scale = max(map(abs, coefficients))
    expected = [
        math.floor(15 * (0.5 + 0.5 / scale * coefficient) + 0.5) for coefficient in coefficients
    ]
    nibbles = [half for byte in found[5:] for half in (byte & 15, byte >> 4)]

    assert nibbles[: len(expected)] == expected


def test_a_thumbhash_has_alpha() -> None:
    image = quadrants(60, 60, "RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    found = base64.b64decode(thumbhash(image))

    assert found[2] >> 7
    assert found[5] & 15 == 8, "the mean of a gradient is a half"


def test_similar_images_have_similar_dhashes() -> None:
    one = int(dhash(scenery()), 16)
    smaller = int(details(encoded(scenery(), "JPEG", quality=40)).dhash, 16)
    other = int(dhash(scenery().transpose(Image.Transpose.ROTATE_90)), 16)

    assert (one ^ smaller).bit_count() <= 4
    assert (one ^ other).bit_count() > 10
    assert dhash(Image.linear_gradient("L").rotate(90)) in ("f" * 16, "0" * 16)


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_image_is_inspected_upright(orientation: int) -> None:
    stored = scenery() if orientation == 1 else scenery().transpose(Image.Transpose.ROTATE_90)
    found = details(encoded(stored, "JPEG", exif=exif_of(orientation), quality=95))

    assert (int(found.dhash, 16) ^ int(dhash(scenery()), 16)).bit_count() <= 4


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (97, 96)])
def test_an_image_of_any_shape_is_inspected(size: tuple[int, int]) -> None:
    assert details(encoded(Image.new("L", size, 9), "PNG")).dominant == "#090909"


def test_twelve_megapixels_are_inspected_within_two_seconds() -> None:
    data = encoded(scenery(4000, 3000), "JPEG")
    started = time.process_time()
    inspect_pixels(data)

    assert time.process_time() - started < 2


def test_a_truncated_animation_lacks_only_its_duration() -> None:
    data = animation("GIF", [Image.effect_noise((99, 70), 40 + step) for step in range(4)])

    assert details(data[: len(data) * 2 // 3]).duration is None

"""Colour spaces by numbers: matrices, curves and the ICC profiles made from them."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from services.imaging.engine.raster import icc
from services.imaging.engine.raster.colour_spaces import (
    BT_709,
    BT_2020,
    CURVES,
    D50,
    PRIMARIES,
    SRGB_CURVE,
    Curve,
    Primaries,
    between,
    srgb_sample,
    times,
    to_xyz,
)
from services.imaging.engine.raster.colours import Space, profile_of
from tests.imaging.coloured import with_profile_code_points
from tests.imaging.pictures import RED_IS_BLUE, SRGB, pixel


def test_bt_2020_is_converted_by_the_matrix_of_bt_2087() -> None:
    # Rec. ITU-R BT.2087-0, annex 2, for the opposite direction.
    published = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))

    for row, expected in zip(between(BT_709, BT_2020), published, strict=True):
        assert row == pytest.approx(expected, abs=0.0001)


@pytest.mark.parametrize("primaries", PRIMARIES.values())
def test_white_becomes_the_white_of_the_connection_space(primaries: Primaries) -> None:
    assert times(to_xyz(primaries), (1, 1, 1)) == pytest.approx(D50, abs=0.0002)


@pytest.mark.parametrize(
    "primaries",
    [
        Primaries((0.3, 0.3), (0.3, 0.3), (0.3, 0.3), (0.3, 0.3)),
        Primaries((0.3, 0.0), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06)),
        Primaries((0.3127, 0.329), (1.2, 0.33), (0.3, 0.6), (0.15, 0.06)),
        Primaries((0.3127, 0.329), (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)),
    ],
)
def test_impossible_primaries_are_refused(primaries: Primaries) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        icc.rgb_profile("impossible", primaries, SRGB_CURVE)


@pytest.mark.parametrize("curve", CURVES.values())
def test_a_profile_that_was_written_is_read_as_it_was_meant(curve: Curve) -> None:
    space = Space("Two words", BT_709, curve)
    rgb, gray = (profile_of(space, gray=is_gray) for is_gray in (False, True))
    expected = [round(255 * srgb_sample(curve.light(sample / 255))) for sample in (30, 128, 240)]

    assert ImageCms.getProfileDescription(_opened(rgb)).strip() == "Two words"
    assert (icc.space_of(rgb), icc.space_of(gray)) == (icc.RGB, icc.GRAY)
    for sample, sees in zip((30, 128, 240), expected, strict=True):
        for profile, mode in ((rgb, "RGB"), (gray, "L")):
            image = Image.new(mode, (1, 1), (sample,) * 3 if mode == "RGB" else sample)
            converted = ImageCms.profileToProfile(
                image, _opened(profile), _srgb(), outputMode="RGB"
            )
            assert converted is not None
            assert pixel(converted, 0, 0) == pytest.approx((sees,) * 3, abs=2)


def test_code_points_of_a_profile_are_read_and_garbage_is_none() -> None:
    assert icc.code_points(with_profile_code_points(SRGB, 9, 16)) == (9, 16)
    for profile in (b"", SRGB, RED_IS_BLUE, SRGB[:130], b"\xff" * 200):
        assert icc.code_points(profile) is None
    beyond = with_profile_code_points(SRGB, 9, 16).replace(
        b"cicp" + struct.pack(">I", len(SRGB) + 12), b"cicp" + b"\xff" * 4
    )
    assert icc.code_points(beyond) is None


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

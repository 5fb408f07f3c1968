"""Trim, pad, and the backgrounds that fill new space."""

import pytest
from PIL import Image

from contracts.operations.choices import Fit
from contracts.operations.shapes import Pad, Resize, Rotate, Trim
from services.imaging.engine.operations.dispatch import apply
from tests.imaging.pictures import (
    BLUE,
    CORNERS,
    WORK_MODES,
    corners,
    pixel,
    quadrants,
    same,
)

WHITE, CLEAR = (255, 255, 255), (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "background", "expected"),
    [
        ("L", "808080", ("L", (128,))),
        ("L", "red", ("RGB", (255, 0, 0))),
        ("L", "80808040", ("LA", (128, 64))),
        ("LA", "white", ("LA", (255, 255))),
        ("LA", "#ff000080", ("RGBA", (255, 0, 0, 128))),
        ("RGB", "336699", ("RGB", (51, 102, 153))),
        ("RGB", "33669900", ("RGBA", (51, 102, 153, 0))),
        ("RGBA", "red", ("RGBA", (255, 0, 0, 255))),
    ],
)
def test_new_space_has_the_background_colour(
    mode: str, background: str, expected: tuple[str, tuple[int, ...]]
) -> None:
    image = quadrants(40, 20).convert(mode)
    boxed = apply(image, Resize(width=40, height=40, fit=Fit.CONTAIN, background=background))
    padded = apply(image, Pad(top=9, left=3, background=background))
    rotated = apply(image, Rotate(degrees=45, background=background))

    for result in (boxed, padded):
        assert (result.mode, pixel(result, 0, 0)) == expected
    # Rotation premultiplies, which rounds; a fully transparent colour becomes black.
    seen = expected[1] if expected[1][-1] or len(expected[1]) % 2 else (0, 0, 0, 0)
    assert rotated.mode == expected[0]
    assert pixel(rotated, 0, 0) == pytest.approx(seen, abs=2)
    assert corners(boxed.crop((0, 10, 40, 30))) == corners(image)


def test_transparent_pixels_stay_transparent_on_a_background() -> None:
    result = apply(Image.new("RGBA", (20, 20)), Pad(left=5, background="red"))

    assert pixel(result, 2, 2) == (255, 0, 0, 255)
    assert pixel(result, 12, 2) == CLEAR


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("colour", [None, "white"])
def test_trim_keeps_the_box_of_other_colours(mode: str, colour: str | None) -> None:
    image = Image.new("RGB", (100, 80), (250, 252, 255))
    image.paste((0, 0, 200), (30, 20, 50, 70))
    result = apply(image.convert(mode), Trim(colour=colour))

    assert result.size == (20, 50)
    assert pixel(result.convert("RGB"), 0, 0) == pixel(result.convert("RGB"), 19, 49)


def test_the_tolerance_of_a_trim_applies_to_each_channel() -> None:
    image = Image.new("RGB", (60, 60), (100, 100, 100))
    image.paste((100, 100, 120), (20, 20, 40, 40))

    assert apply(image, Trim(tolerance=19)).size == (20, 20)
    assert apply(image, Trim(tolerance=20)).size == (60, 60)


def test_a_trim_by_an_absent_colour_cuts_nothing() -> None:
    assert apply(quadrants(), Trim(colour="black", tolerance=0)).size == (80, 60)


def test_transparent_pixels_of_any_colour_are_one_background() -> None:
    image = quadrants(80, 60).convert("RGBA")
    image.putalpha(0)
    image.paste((9, 9, 9, 255), (10, 10, 30, 20))

    assert apply(image, Trim()).size == (20, 10)
    assert apply(image, Trim(colour="#00000000")).size == (20, 10)


def test_pad_centres_an_image_in_a_box_or_adds_space_at_its_edges() -> None:
    boxed = apply(quadrants(80, 60), Pad(width=100, height=40))
    edged = apply(quadrants(80, 60), Pad(top=1, right=2, bottom=3, left=4))

    assert boxed.size == (100, 60)
    assert same(boxed.crop((10, 0, 90, 60)), quadrants(80, 60))
    assert edged.size == (86, 64)
    assert same(edged.crop((4, 1, 84, 61)), quadrants(80, 60))
    assert pixel(boxed, 0, 0) == pixel(edged, 85, 63) == WHITE


@pytest.mark.parametrize("mode", WORK_MODES)
def test_a_blurred_pad_shows_an_enlarged_copy_behind_the_image(mode: str) -> None:
    image = quadrants(80, 60).convert(mode)
    result = apply(image, Pad(width=320, height=60, blurred=True))
    opaque = result.convert("RGB")

    assert (result.mode, result.size) == (mode, (320, 60))
    assert same(result.crop((120, 0, 200, 60)), image)
    for x, corner in ((20, "upper left"), (300, "upper right")):
        wanted = pixel(Image.new("RGB", (1, 1), CORNERS[corner]).convert(mode).convert("RGB"), 0, 0)
        assert sum(abs(a - b) for a, b in zip(pixel(opaque, x, 2), wanted, strict=True)) < 60


def test_transparent_pixels_spread_no_colour_by_blur_or_rotation() -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))

    for operation in (Pad(width=200, blurred=True), Rotate(degrees=30), Rotate(degrees=7)):
        seen = apply(image, operation).tobytes()
        bands = zip(seen[1::4], seen[3::4], strict=True)
        assert all(green < 12 for green, alpha in bands if alpha > 24)


def test_a_rotation_fills_its_corners_with_a_translucent_colour() -> None:
    result = apply(Image.new("RGB", (60, 60), BLUE), Rotate(degrees=45, background="ff000080"))

    assert pixel(result, 0, 0) == (255, 0, 0, 128)
    assert pixel(result, 42, 42) == (*BLUE, 255)

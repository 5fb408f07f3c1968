"""Looks that read the tones of the whole image, or of squares of it."""

import pytest
from PIL import Image

from contracts.operations.looks import (
    Autocontrast,
    Equalize,
    Grayscale,
    LookOperation,
    Pixelate,
)
from services.imaging.engine.operations.dispatch import apply, resolve
from tests.imaging.engine.operations.modes import in_mode, same
from tests.imaging.pictures import WORK_MODES, pixel, scenery


@pytest.mark.parametrize("mode", WORK_MODES)
def test_autocontrast_reaches_black_and_white(mode: str) -> None:
    image = Image.linear_gradient("L").point([50 + tone // 2 for tone in range(256)])
    result = apply(in_mode(image, mode), Autocontrast())

    assert apply(result, Grayscale()).getchannel("L").getextrema() == (0, 255)


def test_a_cutoff_clips_the_darkest_and_lightest_pixels() -> None:
    image = Image.new("L", (100, 1))
    image.putdata([0] * 2 + [100] * 48 + [150] * 48 + [255] * 2)

    assert apply(image, Autocontrast()).tobytes() == image.tobytes()
    assert apply(image, Autocontrast(cutoff=2)).tobytes() == bytes([0] * 50 + [255] * 50)


def test_transparent_pixels_are_not_in_the_histogram() -> None:
    image = Image.new("LA", (4, 1))
    image.putdata([(0, 0), (100, 255), (150, 255), (255, 0)])

    for operation in (Autocontrast(), Equalize()):
        result = apply(image, operation)
        assert [pixel(result, x, 0)[0] for x in (1, 2)] == [0, 255]
        assert [pixel(result, x, 0)[1] for x in range(4)] == [0, 255, 255, 0]


@pytest.mark.parametrize("operation", [Autocontrast(), Autocontrast(cutoff=49), Equalize()])
@pytest.mark.parametrize("alpha", [0, 255])
def test_an_image_of_one_tone_keeps_it(operation: LookOperation, alpha: int) -> None:
    image = Image.new("LA", (5, 5), (77, alpha))

    assert same(apply(image, operation), image)


def test_equalize_makes_tones_equally_frequent() -> None:
    image = Image.linear_gradient("L").point([tone * tone // 255 for tone in range(256)])
    before, after = (
        [sum(one.histogram()[start : start + 64]) for start in range(0, 256, 64)]
        for one in (image, apply(image, Equalize()))
    )

    assert max(before) > 3 * min(before)
    assert max(after) < 1.3 * min(after)


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("operation", [Autocontrast(cutoff=1), Equalize()])
def test_a_resolved_look_uses_the_first_image_for_all_images(
    operation: LookOperation, mode: str
) -> None:
    first = in_mode(scenery(60, 40).point(lambda tone: 60 + tone // 3), mode)
    resolved = resolve(first, operation)
    dark, light = (in_mode(Image.new("L", (4, 4), tone), mode) for tone in (70, 120))

    assert same(apply(first, resolved), apply(first, operation))
    assert pixel(apply(dark, resolved), 0, 0)[0] < 70
    assert pixel(apply(light, resolved), 0, 0)[0] > 120


@pytest.mark.parametrize("mode", WORK_MODES)
def test_pixelate_fills_squares_with_their_mean(mode: str) -> None:
    image = Image.new("L", (20, 10), 40)
    image.paste(80, (4, 0, 20, 10))
    result = apply(image.convert(mode), Pixelate(size=8))
    row = [pixel(result, x, 9)[0] for x in range(20)]

    assert row == [60] * 8 + [80] * 12


def test_a_square_larger_than_the_image_gives_its_mean() -> None:
    image = Image.new("L", (3, 2), 10)
    image.paste(40, (0, 0, 1, 2))

    assert apply(image, Pixelate(size=16_384)).getcolors() == [(6, 20)]


def test_transparent_pixels_add_no_colour_to_a_square() -> None:
    image = Image.new("RGBA", (8, 8), (0, 255, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 4, 8))

    assert pixel(apply(image, Pixelate(size=8)), 4, 4) == pytest.approx((200, 0, 0, 128), abs=1)

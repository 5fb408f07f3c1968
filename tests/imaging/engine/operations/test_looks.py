"""Each look, by the pixels it returns."""

import math

import pytest
from PIL import Image, ImageChops

from contracts.operations.looks import (
    Adjust,
    Autocontrast,
    Blur,
    Duotone,
    Equalize,
    Grayscale,
    Look,
    LookOperation,
    Negate,
    Posterize,
    Sepia,
    Sharpen,
    Tint,
)
from contracts.operations.pipeline import Operation
from services.imaging.engine.operations.dispatch import apply, resolve
from tests.imaging.engine.operations.examples import examples_of
from tests.imaging.engine.operations.modes import ALPHA, in_mode, same
from tests.imaging.pictures import WORK_MODES, pixel, quadrants, scenery

LOOKS = (
    *examples_of(Look),
    Duotone(shadows="navy", highlights="gold"),
    Adjust(brightness=1.2, contrast=1.1, saturation=1.3, hue=40, gamma=1.2),
    Sharpen(threshold=3),
)


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("operation", LOOKS, ids=lambda operation: operation.op)
def test_a_look_keeps_size_and_alpha_and_does_not_change_its_input(
    operation: Operation, mode: str
) -> None:
    image = in_mode(scenery(61, 47), mode)
    before = image.copy()
    result = apply(image, operation)

    assert same(image, before)
    assert result.size == image.size
    assert result.mode in WORK_MODES
    assert result.mode.endswith("A") == mode.endswith("A")
    if mode.endswith("A"):
        assert result.getchannel("A").getcolors() == [(61 * 47, ALPHA)]


def test_grayscale_is_luma() -> None:
    result = apply(quadrants(), Grayscale())

    assert result.mode == "L"
    assert pixel(result, 0, 0) == (76,)
    assert pixel(result, 79, 59) == (226,)


def test_blur_spreads_an_edge_and_keeps_flat_areas() -> None:
    image = Image.new("L", (100, 20), 0)
    image.paste(200, (50, 0, 100, 20))
    result = apply(image, Blur(radius=4))

    assert pixel(result, 5, 10) == (0,)
    assert pixel(result, 95, 10) == (200,)
    assert 20 < pixel(result, 48, 10)[0] < 100 < pixel(result, 52, 10)[0] < 180


@pytest.mark.parametrize("radius", [2, 10, 40])
def test_a_blur_is_a_gaussian_up_to_the_edge(radius: float) -> None:
    # A black line at the edge, which goes on as black beyond it.
    image = Image.new("L", (300, 200), 255)
    image.paste(0, (0, 0, 8, 200))
    result = apply(image, Blur(radius=radius))

    for x in range(300):
        white = 255 * (1 + math.erf((x + 0.5 - 8) / radius / math.sqrt(2))) / 2
        assert pixel(result, x, 100)[0] == pixel(result, x, 0)[0] == pytest.approx(white, abs=4)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize(
    "operation", [Blur(radius=3), Sharpen(amount=2), Sharpen(radius=4, threshold=2)]
)
def test_transparent_pixels_spread_no_colour(operation: LookOperation, mode: str) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((200, 200, 200, 255), (0, 0, 20, 40))
    result = apply(image.convert(mode), operation)

    for x in range(26):
        *colours, alpha = pixel(result, x, 20)
        assert alpha < 32 or all(abs(colour - 200) <= 8 for colour in colours)


@pytest.mark.parametrize("mode", WORK_MODES)
def test_sharpen_steepens_an_edge(mode: str) -> None:
    image = Image.new("L", (40, 20), 80)
    image.paste(160, (20, 0, 40, 20))
    result = apply(image.convert(mode), Sharpen(amount=1))

    assert result.mode == mode
    assert pixel(result, 19, 10)[0] < 80 < 160 < pixel(result, 20, 10)[0]
    assert pixel(result, 2, 10)[0] == 80


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("threshold", [0, 3])
def test_sharpen_keeps_alpha(threshold: int, mode: str) -> None:
    image = scenery(60, 40).convert(mode)
    image.putalpha(quadrants(60, 40, "L"))
    result = apply(image, Sharpen(amount=2, threshold=threshold))

    assert result.tobytes() != image.tobytes()
    assert result.getchannel("A").tobytes() == image.getchannel("A").tobytes()


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize(
    "operation",
    [Sharpen(amount=0), Sharpen(amount=0, radius=5, threshold=4), Adjust(), Adjust(hue=360)],
)
def test_neutral_operations_change_nothing(operation: LookOperation, mode: str) -> None:
    image = scenery(60, 40).convert(mode)

    assert same(apply(image, operation), image)


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize(
    ("adjust", "level"),
    [
        (Adjust(brightness=0), 0),
        (Adjust(brightness=2), 200),
        (Adjust(brightness=10), 255),
        (Adjust(contrast=0), 128),
        (Adjust(contrast=2), 72),
        (Adjust(saturation=0), 100),
    ],
)
def test_adjust_changes_tones_and_keeps_alpha(adjust: Adjust, level: int, mode: str) -> None:
    image = Image.new("L", (8, 8), 100).convert(mode)
    if mode.endswith("A"):
        image.putalpha(90)
    *tones, last = pixel(apply(image, adjust), 4, 4)

    assert last == (90 if mode.endswith("A") else level)
    assert set(tones) <= {level}


def test_saturation_changes_the_distance_from_gray() -> None:
    image = Image.new("RGB", (8, 8), (150, 100, 100))
    dull, vivid = (apply(image, Adjust(saturation=factor)) for factor in (0, 2))

    assert pixel(dull, 0, 0) == (115, 115, 115)
    assert pixel(vivid, 0, 0) == (185, 85, 85)


def test_sepia_equals_that_of_css() -> None:
    # The first two results are Chromium's.
    image = Image.new("RGB", (8, 8), (100, 150, 50))

    assert pixel(apply(image, Sepia()), 0, 0) == (164, 146, 114)
    assert pixel(apply(image, Sepia(amount=0.5)), 0, 0) == (132, 148, 82)
    assert pixel(apply(Image.new("L", (8, 8), 100), Sepia()), 0, 0) == (135, 120, 94)


def test_duotone_maps_luma_to_a_gradient() -> None:
    image = Image.new("L", (3, 1))
    image.putdata([0, 51, 255])
    result = apply(image, Duotone(shadows="#000064", highlights="#ff0000"))

    assert [pixel(result, x, 0) for x in range(3)] == [(0, 0, 100), (51, 0, 80), (255, 0, 0)]


def test_a_tint_keeps_every_luma() -> None:
    image = Image.linear_gradient("L")
    result = apply(image, Tint(colour="#7a5230"))
    wrong = ImageChops.difference(apply(result, Grayscale()), image).getextrema()

    assert wrong in ((0, 0), (0, 1))
    assert (122, 82, 48) in [pixel(result, 0, y) for y in range(256)]
    assert pixel(result, 0, 0) == (0, 0, 0)
    assert pixel(result, 0, 255) == (255, 255, 255)


def test_a_black_tint_gives_grays() -> None:
    image = Image.linear_gradient("L")

    assert same(apply(image, Tint(colour="black")), image.convert("RGB"))


def test_half_a_tint_is_the_mean_of_image_and_tint() -> None:
    image = Image.new("RGB", (8, 8), (200, 0, 0))
    whole, half = (apply(image, Tint(colour="blue", amount=amount)) for amount in (1, 0.5))

    for band, tinted, found in zip(
        pixel(image, 0, 0), pixel(whole, 0, 0), pixel(half, 0, 0), strict=True
    ):
        assert found == pytest.approx((band + tinted) / 2, abs=1)


def test_negating_twice_restores_the_image() -> None:
    image = in_mode(scenery(60, 40), "RGBA")
    negative = apply(image, Negate())

    assert pixel(apply(Image.new("RGB", (1, 1), (0, 55, 255)), Negate()), 0, 0) == (255, 200, 0)
    assert same(apply(negative, Negate()), image)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    # Results of Chromium's hue-rotate().
    [(90, (50, 146, 35)), (180, (35, 135, 185)), (-360, (200, 100, 50)), (-90, (185, 89, 200))],
)
def test_hue_rotation_equals_that_of_css(degrees: float, expected: tuple[int, ...]) -> None:
    image = Image.new("RGB", (8, 8), (200, 100, 50))

    assert pixel(apply(image, Adjust(hue=degrees)), 0, 0) == expected


def test_hue_rotation_keeps_grays() -> None:
    image = Image.linear_gradient("L").convert("RGB")

    assert same(apply(image, Adjust(hue=123)), image)


def test_gamma_changes_middle_tones_and_keeps_black_and_white() -> None:
    image = Image.new("L", (3, 1))
    image.putdata([0, 64, 255])
    lighter, darker = (apply(image, Adjust(gamma=gamma)) for gamma in (2, 0.5))

    assert lighter.tobytes() == bytes([0, 128, 255])
    assert darker.tobytes() == bytes([0, 16, 255])


def test_only_looks_that_read_the_histogram_are_resolved() -> None:
    reads_histogram = (Autocontrast, Equalize)
    for operation in LOOKS:
        assert (resolve(scenery(20, 20), operation) is operation) == (
            not isinstance(operation, reads_histogram)
        )


def test_posterize_leaves_levels_from_black_to_white() -> None:
    image = Image.linear_gradient("L")
    levels = [tone for _, tone in apply(image, Posterize(levels=4)).getcolors() or ()]

    assert sorted(levels) == [0, 85, 170, 255]
    assert same(apply(image, Posterize(levels=256)), image)


def test_sharpen_by_default_has_a_radius_of_two_and_no_threshold() -> None:
    image = scenery(60, 40)
    plain = Image.blend(apply(image, Blur(radius=2)), image, 2.5)

    assert same(apply(image, Sharpen(amount=1.5)), plain)


def test_a_sharpen_threshold_keeps_small_differences() -> None:
    image = Image.new("L", (60, 20), 100)
    image.paste(106, (20, 0, 40, 20))
    image.paste(200, (40, 0, 60, 20))
    result = apply(image, Sharpen(amount=2, threshold=10))

    assert [pixel(result, x, 10) for x in (19, 20)] == [(100,), (106,)]
    assert pixel(result, 40, 10)[0] > 220

"""Each operation, by the pixels that it makes."""

import pytest
from PIL import Image, ImageChops

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.looks import Adjust, Blur, Grayscale, Sharpen
from contracts.operations import Operation
from contracts.shapes import Axis, Crop, Fit, Flip, Resize, Rotate
from services.imaging.limits import Limits
from services.imaging.operations import apply
from services.imaging.resample import resample
from tests.imaging.pictures import (
    BLUE,
    CORNERS,
    GREEN,
    RED,
    UPRIGHT,
    YELLOW,
    corners,
    pixel,
    psnr,
    quadrants,
    scenery,
)

WORK_MODES = ("L", "LA", "RGB", "RGBA")
WHITE, CLEAR = (255, 255, 255), (0, 0, 0, 0)


def turned(upper_left: str, upper_right: str, lower_left: str, lower_right: str) -> dict[str, str]:
    return dict(zip(CORNERS, (upper_left, upper_right, lower_left, lower_right), strict=True))


def test_cover_keeps_the_middle() -> None:
    stripes = Image.new("RGB", (90, 30), RED)
    stripes.paste(GREEN, (30, 0, 60, 30))
    stripes.paste(BLUE, (60, 0, 90, 30))
    middle = apply(stripes, Resize(width=20, height=20))

    assert {pixel(middle, x, 10) for x in (3, 10, 16)} == {GREEN}


@pytest.mark.parametrize("mode", WORK_MODES)
def test_contain_fills_up_with_nothing(mode: str) -> None:
    result = apply(
        quadrants(80, 40, "RGB").convert(mode), Resize(width=40, height=40, fit=Fit.CONTAIN)
    )
    blank = CLEAR if mode.endswith("A") else (255, 255, 255)

    assert result.mode == mode
    assert pixel(result, 20, 5) == pixel(result, 20, 35) == blank[-len(mode) :]
    assert corners(result.crop((0, 10, 40, 30)).convert("RGB")) == corners(
        quadrants(40, 20).convert(mode).convert("RGB")
    )


def test_resizing_takes_no_colour_from_what_is_transparent() -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    row = apply(image, Resize(width=9, fit=Fit.FILL, height=9)).crop((0, 4, 9, 5))
    seen = [pixel(row, x, 0) for x in range(9) if pixel(row, x, 0)[3] > 8]

    assert seen
    assert all(green < 8 for _, green, _, _ in seen)


def test_growing_one_way_and_shrinking_the_other_is_a_plain_resize() -> None:
    image = scenery(100, 300)
    plain = image.resize((200, 50), Image.Resampling.LANCZOS)

    assert psnr(resample(image, (200, 50), (0, 0, 100, 300)), plain) > 40


def test_crop_cuts_where_it_says() -> None:
    result = apply(quadrants(80, 60), Crop(left=40, top=0, width=40, height=30))

    assert result.size == (40, 30)
    assert result.getcolors() == [(1200, GREEN)]


@pytest.mark.parametrize(
    "crop",
    [Crop(left=1, top=0, width=80, height=60), Crop(left=900, top=900, width=1, height=1)],
)
def test_a_crop_outside_names_the_size(crop: Crop) -> None:
    with pytest.raises(InvalidOperation, match="80 x 60"):
        apply(quadrants(80, 60), crop)


@pytest.mark.parametrize(
    ("degrees", "size", "expected"),
    [
        (0, (80, 60), UPRIGHT),
        (360, (80, 60), UPRIGHT),
        (90, (60, 80), turned("lower left", "upper left", "lower right", "upper right")),
        (180, (80, 60), turned("lower right", "lower left", "upper right", "upper left")),
        (270, (60, 80), turned("upper right", "lower right", "upper left", "lower left")),
        (-90, (60, 80), turned("upper right", "lower right", "upper left", "lower left")),
    ],
)
def test_quarter_turns_are_clockwise_and_lossless(
    degrees: float, size: tuple[int, int], expected: dict[str, str]
) -> None:
    result = apply(quadrants(80, 60), Rotate(degrees=degrees))

    assert result.size == size
    assert corners(result) == expected
    assert {colour for _, colour in result.getcolors() or ()} == {RED, GREEN, BLUE, YELLOW}


@pytest.mark.parametrize("mode", WORK_MODES)
def test_other_turns_grow_the_canvas_and_fill_its_corners(mode: str) -> None:
    image = Image.new("RGB", (60, 60), BLUE).convert(mode)
    result = apply(image, Rotate(degrees=45))
    blank = CLEAR if mode.endswith("A") else (255, 255, 255)

    assert result.mode == mode
    assert result.width == pytest.approx(85, abs=1)
    assert pixel(result, 0, 0) == blank[-len(mode) :]
    assert pixel(result, 42, 42) == pixel(image, 0, 0)


def test_a_small_turn_is_clockwise() -> None:
    image = Image.new("L", (101, 101), 255)
    image.paste(0, (48, 0, 53, 20))
    turned_right = apply(image, Rotate(degrees=45))
    dark = turned_right.point(lambda value: 255 if value < 128 else 0).getbbox()

    assert dark is not None
    assert dark[0] > turned_right.width / 2


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis.HORIZONTAL, turned("upper right", "upper left", "lower right", "lower left")),
        (Axis.VERTICAL, turned("lower left", "lower right", "upper left", "upper right")),
    ],
)
def test_flip_mirrors(axis: Axis, expected: dict[str, str]) -> None:
    assert corners(apply(quadrants(), Flip(axis=axis))) == expected


def test_grayscale_is_luma() -> None:
    result = apply(quadrants(), Grayscale())

    assert result.mode == "L"
    assert pixel(result, 0, 0) == (76,)
    assert pixel(result, 79, 59) == (226,)


def test_blur_spreads_an_edge_and_leaves_the_flat_alone() -> None:
    image = Image.new("L", (100, 20), 0)
    image.paste(200, (50, 0, 100, 20))
    result = apply(image, Blur(radius=4))

    assert pixel(result, 5, 10) == (0,)
    assert pixel(result, 95, 10) == (200,)
    assert 20 < pixel(result, 48, 10)[0] < 100 < pixel(result, 52, 10)[0] < 180


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("operation", [Blur(radius=3), Sharpen(amount=2)])
def test_what_is_transparent_lends_no_colour(operation: Operation, mode: str) -> None:
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


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("operation", [Sharpen(amount=0), Adjust()])
def test_neutral_operations_change_nothing(operation: Operation, mode: str) -> None:
    image = scenery(60, 40).convert(mode)

    assert ImageChops.difference(apply(image, operation), image).getbbox(alpha_only=False) is None


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
def test_adjust_moves_tones_and_keeps_transparency(adjust: Adjust, level: int, mode: str) -> None:
    image = Image.new("L", (8, 8), 100).convert(mode)
    if mode.endswith("A"):
        image.putalpha(90)
    *tones, last = pixel(apply(image, adjust), 4, 4)

    assert last == (90 if mode.endswith("A") else level)
    assert set(tones) <= {level}


def test_saturation_moves_away_from_gray() -> None:
    image = Image.new("RGB", (8, 8), (150, 100, 100))
    dull, vivid = (apply(image, Adjust(saturation=factor)) for factor in (0, 2))

    assert pixel(dull, 0, 0) == (115, 115, 115)
    assert pixel(vivid, 0, 0) == (185, 85, 85)


@pytest.mark.parametrize(
    "operation",
    [
        Resize(width=101, enlarge=True),
        Resize(width=1, height=16_384, fit=Fit.CONTAIN),
        Resize(width=2, height=2, fit=Fit.OUTSIDE, enlarge=True),
        Rotate(degrees=45),
    ],
)
def test_a_result_past_the_limits_is_not_made(operation: Operation) -> None:
    limits = Limits(result_side=100)
    tall = Image.new("L", (1, 100))

    with pytest.raises(ImageTooBig):
        apply(tall if isinstance(operation, Resize) else tall.resize((100, 100)), operation, limits)

"""Each shape operation, by the pixels it returns."""

import pytest
from PIL import Image, ImageChops, ImageStat

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.operations.choices import Axis, Filter, Fit, Gravity
from contracts.operations.notation import parse_operation
from contracts.operations.shapes import (
    Crop,
    Extract,
    Flip,
    Flop,
    Pad,
    Resize,
    Rotate,
    ShapeOperation,
)
from services.imaging.engine.operations.dispatch import apply
from services.imaging.engine.safety.limits import Limits
from tests.imaging.pictures import (
    BLUE,
    CORNERS,
    GREEN,
    RED,
    UPRIGHT,
    WORK_MODES,
    YELLOW,
    corners,
    pixel,
    psnr,
    quadrants,
    same,
    scenery,
)

CLEAR = (0, 0, 0, 0)


def rotated(upper_left: str, upper_right: str, lower_left: str, lower_right: str) -> dict[str, str]:
    return dict(zip(CORNERS, (upper_left, upper_right, lower_left, lower_right), strict=True))


def test_cover_keeps_the_middle() -> None:
    stripes = Image.new("RGB", (90, 30), RED)
    stripes.paste(GREEN, (30, 0, 60, 30))
    stripes.paste(BLUE, (60, 0, 90, 30))
    middle = apply(stripes, Resize(width=20, height=20))

    assert {pixel(middle, x, 10) for x in (3, 10, 16)} == {GREEN}


@pytest.mark.parametrize("mode", WORK_MODES)
def test_contain_fills_with_transparency_or_white(mode: str) -> None:
    result = apply(
        quadrants(80, 40, "RGB").convert(mode), Resize(width=40, height=40, fit=Fit.CONTAIN)
    )
    blank = CLEAR if mode.endswith("A") else (255, 255, 255)

    assert result.mode == mode
    assert pixel(result, 20, 5) == pixel(result, 20, 35) == blank[-len(mode) :]
    assert corners(result.crop((0, 10, 40, 30)).convert("RGB")) == corners(
        quadrants(40, 20).convert(mode).convert("RGB")
    )


def test_transparent_pixels_spread_no_colour_by_resizing() -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    row = apply(image, Resize(width=9, fit=Fit.FILL, height=9)).crop((0, 4, 9, 5))
    seen = [pixel(row, x, 0) for x in range(9) if pixel(row, x, 0)[3] > 8]

    assert seen
    assert all(green < 8 for _, green, _, _ in seen)


def test_crop_cuts_at_its_point() -> None:
    result = apply(quadrants(80, 60), Crop(left=40, top=0, width=40, height=30))

    assert result.size == (40, 30)
    assert result.getcolors() == [(1200, GREEN)]


@pytest.mark.parametrize(
    "crop",
    [Crop(left=1, top=0, width=80, height=60), Crop(left=900, top=900, width=1, height=1)],
)
def test_a_crop_outside_of_the_image_names_its_size(crop: Crop) -> None:
    with pytest.raises(InvalidOperation, match="80 x 60"):
        apply(quadrants(80, 60), crop)


@pytest.mark.parametrize(
    ("degrees", "size", "expected"),
    [
        (0, (80, 60), UPRIGHT),
        (360, (80, 60), UPRIGHT),
        (90, (60, 80), rotated("lower left", "upper left", "lower right", "upper right")),
        (180, (80, 60), rotated("lower right", "lower left", "upper right", "upper left")),
        (270, (60, 80), rotated("upper right", "lower right", "upper left", "lower left")),
        (-90, (60, 80), rotated("upper right", "lower right", "upper left", "lower left")),
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
def test_other_rotations_grow_the_canvas_and_fill_its_corners(mode: str) -> None:
    image = Image.new("RGB", (60, 60), BLUE).convert(mode)
    result = apply(image, Rotate(degrees=45))
    blank = CLEAR if mode.endswith("A") else (255, 255, 255)

    assert result.mode == mode
    assert result.width == pytest.approx(85, abs=1)
    assert pixel(result, 0, 0) == blank[-len(mode) :]
    assert pixel(result, 42, 42) == pixel(image, 0, 0)


@pytest.mark.parametrize("degrees", [1, 2.5, 7, 20, 33, 45, 60, 75, 89, -100, 200])
def test_a_rotated_picture_reaches_every_edge_of_its_canvas(degrees: float) -> None:
    result = apply(Image.new("L", (600, 450)), Rotate(degrees=degrees))
    width, height = result.size
    edges = (
        *((0, 0, width, 1), (0, height - 1, width, height)),
        *((0, 0, 1, height), (width - 1, 0, width, height)),
    )

    assert all(result.crop(edge).getextrema() != (255, 255) for edge in edges)


def test_an_image_rotated_by_45_degrees_takes_no_pixel_too_much() -> None:
    assert apply(Image.new("L", (600, 450)), Rotate(degrees=45)).size == (743, 743)


def test_the_edges_of_a_rotated_picture_are_smooth() -> None:
    image = Image.new("L", (100, 60))
    for degrees in (2, 45, 200):
        result = apply(image, Rotate(degrees=degrees))
        darkness = ImageStat.Stat(ImageChops.invert(result)).sum[0] / 255

        assert darkness == pytest.approx(100 * 60, rel=0.003)


def test_a_rotation_that_moves_corners_less_than_half_a_pixel_is_skipped() -> None:
    image = scenery(100, 60)

    for degrees in (0.001, -0.4, 359.9):
        assert apply(image, Rotate(degrees=degrees)) is image
    assert apply(image, Rotate(degrees=1)) is not image


def test_a_rotation_by_any_angle_is_clockwise() -> None:
    image = Image.new("L", (101, 101), 255)
    image.paste(0, (48, 0, 53, 20))
    turned_right = apply(image, Rotate(degrees=45))
    dark = turned_right.point(lambda value: 255 if value < 128 else 0).getbbox()

    assert dark is not None
    assert dark[0] > turned_right.width / 2


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis.HORIZONTAL, rotated("upper right", "upper left", "lower right", "lower left")),
        (Axis.VERTICAL, rotated("lower left", "lower right", "upper left", "upper right")),
    ],
)
def test_flip_mirrors(axis: Axis, expected: dict[str, str]) -> None:
    assert corners(apply(quadrants(), Flip(axis=axis))) == expected


def test_dpr_multiplies_the_box() -> None:
    image = quadrants(400, 300)

    assert apply(image, parse_operation("resize:width=50,dpr=2")).size == (100, 75)
    assert apply(image, parse_operation("resize:width=50,height=50,dpr=1.5")).size == (75, 75)
    assert apply(image, parse_operation("resize:width=300,dpr=5")).size == (400, 300)


@pytest.mark.parametrize("filter", Filter)
@pytest.mark.parametrize("mode", WORK_MODES)
def test_each_filter_gives_a_similar_picture(filter: Filter, mode: str) -> None:
    image = scenery(400, 300).convert(mode)
    result = apply(image, Resize(width=100, filter=filter))

    assert result.mode == mode
    assert psnr(result, apply(image, Resize(width=100))) > 17


def test_the_nearest_filter_makes_no_new_colours() -> None:
    result = apply(quadrants(), Resize(width=31, height=17, filter=Filter.NEAREST))

    assert {colour for _, colour in result.getcolors() or ()} == {RED, GREEN, BLUE, YELLOW}


@pytest.mark.parametrize(
    "text",
    [
        "crop:left=1,width=2,height=3",
        "crop:left=1,top=1,width=2,height=3,gravity=top",
        "crop:left=1,top=1,width=2,height=3,focus_y=0.5",
        "extract:width=2,height=3",
        "resize:width=2,focus_x=1.1",
        "resize:width=2,dpr=0.5",
        "resize:width=2,dpr=5.5",
        "pad",
        "pad:background=red",
        "pad:width=20,left=3",
        "pad:width=20,background=red,blurred=true",
        "trim:256",
        "flop:1",
    ],
)
def test_contradictory_or_missing_fields_are_refused(text: str) -> None:
    with pytest.raises(InvalidOperation):
        parse_operation(text)


def test_an_extract_must_lie_within_the_image() -> None:
    inside = Extract(left=40, top=30, width=40, height=30)

    assert apply(quadrants(80, 60), inside).getcolors() == [(1200, YELLOW)]
    with pytest.raises(InvalidOperation, match="80 x 60"):
        apply(quadrants(80, 60), inside.model_copy(update={"left": 41}))


def test_flop_is_a_horizontal_flip() -> None:
    assert same(apply(quadrants(), Flop()), apply(quadrants(), Flip()))


@pytest.mark.parametrize(
    "operation",
    [
        Resize(width=101, enlarge=True),
        Resize(width=1, height=16_384, fit=Fit.CONTAIN),
        Resize(width=2, height=2, fit=Fit.OUTSIDE, enlarge=True),
        Rotate(degrees=45),
    ],
)
def test_a_result_beyond_the_limits_is_refused(operation: ShapeOperation) -> None:
    limits = Limits(result_side=100)
    tall = Image.new("L", (1, 100))

    with pytest.raises(ImageTooBig):
        apply(tall if isinstance(operation, Resize) else tall.resize((100, 100)), operation, limits)


def test_a_canvas_beyond_the_limits_is_refused_before_it_is_allocated() -> None:
    tiny = Image.new("L", (10, 10))
    for operation in (
        Pad(left=16_384),
        Pad(width=16_384, height=16_384, blurred=True),
        Resize(width=16_384, height=16_384, fit=Fit.CONTAIN),
        Resize(width=4_000, dpr=5, enlarge=True),
        Resize(width=9_000, height=9_000, dpr=5, gravity=Gravity.SMART, enlarge=True),
    ):
        with pytest.raises(ImageTooBig):
            apply(tiny, operation)

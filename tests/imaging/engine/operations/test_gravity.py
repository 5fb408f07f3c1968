"""Gravity, focus and smart gravity: the part of an image that a crop or resize keeps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.operations.choices import Filter, Fit, Gravity
from contracts.operations.notation import parse_operation
from contracts.operations.shapes import Crop, Extract, Pad, Resize, Rotate, ShapeOperation, Trim
from services.imaging.engine.operations.dispatch import apply
from services.imaging.engine.operations.shapes import resize, resolve
from services.imaging.engine.raster.geometry import Extent
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import (
    BLUE,
    GREEN,
    RED,
    UPRIGHT,
    WORK_MODES,
    corners,
    pixel,
    psnr,
    quadrants,
    same,
    scenery,
)


def stripes() -> Image.Image:
    """Red, green and blue columns of 30 pixels each."""
    image = Image.new("RGB", (90, 30), RED)
    image.paste(GREEN, (30, 0, 60, 30))
    image.paste(BLUE, (60, 0, 90, 30))
    return image


def with_detail(corner: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """A striped square of skin colour, 40 pixels a side, on a gray image of 400 x 300."""
    image = Image.new("RGB", (400, 300), (120, 125, 130))
    image.paste((224, 172, 138), (corner[0], corner[1], corner[0] + 40, corner[1] + 40))
    for left in range(corner[0] + 4, corner[0] + 40, 8):
        image.paste((60, 40, 30), (left, corner[1], left + 4, corner[1] + 40))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("asked", "colour"),
    [
        ("gravity=left", RED),
        ("gravity=top_left", RED),
        ("gravity=top", GREEN),
        ("gravity=bottom_right", BLUE),
        ("focus_x=0", RED),
        ("focus_x=0.1,focus_y=0.9", RED),
        ("focus_x=0.5", GREEN),
        ("focus_x=0.84", BLUE),
        ("focus_x=1,gravity=left", BLUE),
    ],
)
def test_gravity_or_focus_selects_the_part_that_is_kept(
    asked: str, colour: tuple[int, ...]
) -> None:
    for operation in (f"resize:width=20,height=20,{asked}", f"crop:width=28,height=30,{asked}"):
        kept = apply(stripes(), parse_operation(operation))

        assert {pixel(kept, x, 10) for x in (3, 10, 16)} == {colour}


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        (",gravity=top", (0, 20)),
        (",gravity=bottom", (20, 40)),
        (",gravity=top,focus_y=0", (20, 40)),
        ("", (10, 30)),
    ],
)
def test_gravity_and_focus_place_a_contained_picture_in_its_box(
    asked: str, rows: tuple[int, int]
) -> None:
    image = Image.new("RGB", (80, 40), BLUE)
    result = apply(image, parse_operation(f"resize:width=40,height=40,fit=contain{asked}"))
    blue = [row for row in range(40) if pixel(result, 20, row) == BLUE]

    assert (blue[0], blue[-1] + 1) == rows


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("corner", [(20, 20), (340, 30), (180, 130), (30, 240), (350, 250)])
def test_smart_gravity_keeps_the_detailed_part(corner: tuple[int, int], mode: str) -> None:
    image = with_detail(corner, mode)
    whole = image.crop((*corner, corner[0] + 40, corner[1] + 40))
    for operation in (
        Resize(width=100, height=300, gravity=Gravity.SMART),
        Resize(width=400, height=80, gravity=Gravity.SMART),
        Crop(width=100, height=80, gravity=Gravity.SMART),
    ):
        kept = apply(image, operation)
        where = [
            (x, y)
            for x in range(kept.width - 39)
            for y in range(kept.height - 39)
            if pixel(kept, x, y) == pixel(whole, 0, 0) == pixel(kept, x + 35, y + 39)
        ]

        assert any(same(kept.crop((x, y, x + 40, y + 40)), whole) for x, y in where)


@pytest.mark.parametrize("height", [6, 12])
def test_smart_gravity_centres_on_the_detail_wherever_it_is(height: int) -> None:
    detail = scenery(200, 150).crop((60, 40, 76, 56))
    kept = []
    for left in range(20, 24):
        image = Image.new("RGB", (64, 48), "white")
        image.paste(detail, (left, left - 10))
        kept.append(apply(image, Crop(width=4, height=height, gravity=Gravity.SMART)))

    assert all(same(kept[0], other) for other in kept)


def test_smart_gravity_keeps_the_middle_of_a_flat_image() -> None:
    plain = Image.new("RGB", (400, 300), (90, 90, 90))

    assert resolve(plain, Crop(width=100, height=100, gravity=Gravity.SMART)) == Extract(
        left=150, top=100, width=100, height=100
    )


def test_smart_gravity_gives_the_same_on_a_draft() -> None:
    image, smart = with_detail((340, 100)), Resize(width=50, height=150, gravity=Gravity.SMART)
    extent = Extent((400, 300), (0, 0, 199.5, 149.5))
    drafted = resize(image.reduce(2), smart, extent, DEFAULT_LIMITS)

    assert psnr(drafted, apply(image, smart)) > 25


def test_a_crop_by_gravity_is_as_large_as_the_image_allows() -> None:
    assert apply(quadrants(80, 60), Crop(width=500, height=30)).size == (80, 30)
    assert corners(apply(quadrants(80, 60), Crop(width=60, height=500))) == UPRIGHT


sides = st.integers(1, 90)
fractions = st.none() | st.floats(0, 1)
aims = {"gravity": st.sampled_from(Gravity), "focus_x": fractions, "focus_y": fractions}
colours = st.none() | st.sampled_from(["#ff0000", "#11223344", "#808080"])
operations: st.SearchStrategy[ShapeOperation] = st.one_of(
    st.builds(
        Resize,
        width=sides,
        height=st.none() | sides,
        fit=st.sampled_from(Fit),
        enlarge=st.booleans(),
        dpr=st.floats(1, 5),
        filter=st.sampled_from(Filter),
        background=colours,
        **aims,
    ),
    st.builds(Crop, width=sides, height=sides, **aims),
    st.builds(Trim, tolerance=st.integers(0, 255), colour=colours),
    st.builds(Pad, width=sides, height=st.none() | sides, background=colours),
    st.builds(Pad, top=sides, left=sides, blurred=st.booleans()),
    st.builds(Rotate, degrees=st.floats(-360, 360), background=colours),
)
images = st.builds(
    lambda image, mode: image.convert(mode),
    st.sampled_from(
        [
            scenery(61, 40),
            quadrants(9, 70),
            with_detail((300, 200)).resize((57, 43)),
            Image.new("RGB", (31, 17), RED),
            Image.new("RGBA", (20, 30)),
        ]
    ),
    st.sampled_from(WORK_MODES),
)


@settings(max_examples=300, deadline=None)
@given(image=images, operation=operations)
def test_a_resolved_shape_does_the_same_and_reads_no_pixels(
    image: Image.Image, operation: ShapeOperation
) -> None:
    before = image.copy()
    resolved = resolve(image, operation)

    assert same(apply(image, operation), apply(image, resolved))
    assert type(resolved).model_validate_json(resolved.model_dump_json()) == resolved
    assert resolve(Image.new(image.mode, image.size), resolved) == resolved
    assert same(image, before), "an operation does not change its input"

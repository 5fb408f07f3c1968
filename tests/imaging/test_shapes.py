"""Each operation on an image's shape, by the pixels that it makes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.notation import parse_operation
from contracts.shapes import (
    Axis,
    Crop,
    Extract,
    Filter,
    Fit,
    Flip,
    Flop,
    Gravity,
    Pad,
    Resize,
    Rotate,
    ShapeOperation,
    Trim,
)
from services.imaging.geometry import Extent
from services.imaging.limits import DEFAULT_LIMITS, Limits
from services.imaging.operations import apply
from services.imaging.shapes import resize, settle
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


def test_a_turn_that_moves_no_corner_by_half_a_pixel_is_none() -> None:
    image = scenery(100, 60)

    for degrees in (0.001, -0.4, 359.9):
        assert apply(image, Rotate(degrees=degrees)) is image
    assert apply(image, Rotate(degrees=1)) is not image


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


def stripes() -> Image.Image:
    """Red, green and blue, each a third of 90 pixels across."""
    image = Image.new("RGB", (90, 30), RED)
    image.paste(GREEN, (30, 0, 60, 30))
    image.paste(BLUE, (60, 0, 90, 30))
    return image


def spotted(spot: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """A face of a kind, 40 pixels across, on a plain wall of 400 x 300."""
    image = Image.new("RGB", (400, 300), (120, 125, 130))
    image.paste((224, 172, 138), (spot[0], spot[1], spot[0] + 40, spot[1] + 40))
    for left in range(spot[0] + 4, spot[0] + 40, 8):
        image.paste((60, 40, 30), (left, spot[1], left + 4, spot[1] + 40))
    return image.convert(mode)


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode and one.size == other.size and one.tobytes() == other.tobytes()


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
def test_what_is_cut_off_is_a_question_of_gravity(asked: str, colour: tuple[int, ...]) -> None:
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
def test_gravity_and_focus_say_where_a_picture_lies_in_its_box(
    asked: str, rows: tuple[int, int]
) -> None:
    image = Image.new("RGB", (80, 40), BLUE)
    result = apply(image, parse_operation(f"resize:width=40,height=40,fit=contain{asked}"))
    blue = [row for row in range(40) if pixel(result, 20, row) == BLUE]

    assert (blue[0], blue[-1] + 1) == rows


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("spot", [(20, 20), (340, 30), (180, 130), (30, 240), (350, 250)])
def test_smart_gravity_finds_what_draws_the_eye(spot: tuple[int, int], mode: str) -> None:
    image = spotted(spot, mode)
    whole = image.crop((*spot, spot[0] + 40, spot[1] + 40))
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
def test_smart_gravity_finds_the_same_wherever_it_lies(height: int) -> None:
    detail = scenery(200, 150).crop((60, 40, 76, 56))
    kept = []
    for left in range(20, 24):
        image = Image.new("RGB", (64, 48), "white")
        image.paste(detail, (left, left - 10))
        kept.append(apply(image, Crop(width=4, height=height, gravity=Gravity.SMART)))

    assert all(same(kept[0], other) for other in kept)


def test_where_nothing_draws_the_eye_smart_is_the_middle() -> None:
    plain = Image.new("RGB", (400, 300), (90, 90, 90))

    assert settle(plain, Crop(width=100, height=100, gravity=Gravity.SMART)) == Extract(
        left=150, top=100, width=100, height=100
    )


def test_smart_gravity_decides_on_a_draft_as_on_the_whole() -> None:
    image, smart = spotted((340, 100)), Resize(width=50, height=150, gravity=Gravity.SMART)
    extent = Extent((400, 300), (0, 0, 199.5, 149.5))
    drafted = resize(image.reduce(2), smart, extent, DEFAULT_LIMITS)

    assert psnr(drafted, apply(image, smart)) > 25


def test_device_pixels_multiply_the_box() -> None:
    image = quadrants(400, 300)

    assert apply(image, parse_operation("resize:width=50,dpr=2")).size == (100, 75)
    assert apply(image, parse_operation("resize:width=50,height=50,dpr=1.5")).size == (75, 75)
    assert apply(image, parse_operation("resize:width=300,dpr=5")).size == (400, 300)


@pytest.mark.parametrize("filter", Filter)
@pytest.mark.parametrize("mode", WORK_MODES)
def test_each_filter_gives_the_picture(filter: Filter, mode: str) -> None:
    image = scenery(400, 300).convert(mode)
    result = apply(image, Resize(width=100, filter=filter))

    assert result.mode == mode
    assert psnr(result, apply(image, Resize(width=100))) > 17


def test_nearest_makes_no_colour_that_was_not_there() -> None:
    result = apply(quadrants(), Resize(width=31, height=17, filter=Filter.NEAREST))

    assert {colour for _, colour in result.getcolors() or ()} == {RED, GREEN, BLUE, YELLOW}


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
def test_space_has_the_colour_that_was_asked_for(
    mode: str, background: str, expected: tuple[str, tuple[int, ...]]
) -> None:
    image = quadrants(40, 20).convert(mode)
    boxed = apply(image, Resize(width=40, height=40, fit=Fit.CONTAIN, background=background))
    padded = apply(image, Pad(top=9, left=3, background=background))
    turned_on = apply(image, Rotate(degrees=45, background=background))

    for result in (boxed, padded):
        assert (result.mode, pixel(result, 0, 0)) == expected
    # What is turned is premultiplied, which rounds; without opacity it has no colour.
    seen = expected[1] if expected[1][-1] or len(expected[1]) % 2 else (0, 0, 0, 0)
    assert turned_on.mode == expected[0]
    assert pixel(turned_on, 0, 0) == pytest.approx(seen, abs=2)
    assert corners(boxed.crop((0, 10, 40, 30))) == corners(image)


def test_what_is_transparent_in_a_picture_stays_so_on_a_background() -> None:
    result = apply(Image.new("RGBA", (20, 20)), Pad(left=5, background="red"))

    assert pixel(result, 2, 2) == (255, 0, 0, 255)
    assert pixel(result, 12, 2) == CLEAR


def test_a_crop_by_gravity_is_as_large_as_the_image_allows() -> None:
    assert apply(quadrants(80, 60), Crop(width=500, height=30)).size == (80, 30)
    assert corners(apply(quadrants(80, 60), Crop(width=60, height=500))) == UPRIGHT


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
def test_what_contradicts_itself_is_refused(text: str) -> None:
    with pytest.raises(InvalidOperation):
        parse_operation(text)


def test_an_extract_lies_within_the_image() -> None:
    inside = Extract(left=40, top=30, width=40, height=30)

    assert apply(quadrants(80, 60), inside).getcolors() == [(1200, YELLOW)]
    with pytest.raises(InvalidOperation, match="80 x 60"):
        apply(quadrants(80, 60), inside.model_copy(update={"left": 41}))


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("colour", [None, "white"])
def test_trim_leaves_what_is_not_background(mode: str, colour: str | None) -> None:
    image = Image.new("RGB", (100, 80), (250, 252, 255))
    image.paste((0, 0, 200), (30, 20, 50, 70))
    result = apply(image.convert(mode), Trim(colour=colour))

    assert result.size == (20, 50)
    assert pixel(result.convert("RGB"), 0, 0) == pixel(result.convert("RGB"), 19, 49)


def test_the_tolerance_of_a_trim_is_of_each_channel() -> None:
    image = Image.new("RGB", (60, 60), (100, 100, 100))
    image.paste((100, 100, 120), (20, 20, 40, 40))

    assert apply(image, Trim(tolerance=19)).size == (20, 20)
    assert apply(image, Trim(tolerance=20)).size == (60, 60)


def test_a_trim_by_another_colour_than_there_is_cuts_nothing() -> None:
    assert apply(quadrants(), Trim(colour="black", tolerance=0)).size == (80, 60)


def test_what_is_transparent_is_one_background_whatever_its_colour() -> None:
    image = quadrants(80, 60).convert("RGBA")
    image.putalpha(0)
    image.paste((9, 9, 9, 255), (10, 10, 30, 20))

    assert apply(image, Trim()).size == (20, 10)
    assert apply(image, Trim(colour="#00000000")).size == (20, 10)


def test_pad_puts_a_picture_in_the_middle_of_a_box_or_where_its_edges_say() -> None:
    boxed = apply(quadrants(80, 60), Pad(width=100, height=40))
    edged = apply(quadrants(80, 60), Pad(top=1, right=2, bottom=3, left=4))

    assert boxed.size == (100, 60)
    assert same(boxed.crop((10, 0, 90, 60)), quadrants(80, 60))
    assert edged.size == (86, 64)
    assert same(edged.crop((4, 1, 84, 61)), quadrants(80, 60))
    assert pixel(boxed, 0, 0) == pixel(edged, 85, 63) == WHITE


@pytest.mark.parametrize("mode", WORK_MODES)
def test_a_blurred_pad_is_the_picture_enlarged_behind_itself(mode: str) -> None:
    image = quadrants(80, 60).convert(mode)
    result = apply(image, Pad(width=320, height=60, blurred=True))
    opaque = result.convert("RGB")

    assert (result.mode, result.size) == (mode, (320, 60))
    assert same(result.crop((120, 0, 200, 60)), image)
    for x, corner in ((20, "upper left"), (300, "upper right")):
        wanted = pixel(Image.new("RGB", (1, 1), CORNERS[corner]).convert(mode).convert("RGB"), 0, 0)
        assert sum(abs(a - b) for a, b in zip(pixel(opaque, x, 2), wanted, strict=True)) < 60


def test_what_is_transparent_lends_no_colour_to_what_is_blurred_or_turned() -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))

    for operation in (Pad(width=200, blurred=True), Rotate(degrees=30), Rotate(degrees=7)):
        seen = apply(image, operation).tobytes()
        bands = zip(seen[1::4], seen[3::4], strict=True)
        assert all(green < 12 for green, alpha in bands if alpha > 24)


def test_a_turn_lays_its_corners_on_a_translucent_colour() -> None:
    result = apply(Image.new("RGB", (60, 60), BLUE), Rotate(degrees=45, background="ff000080"))

    assert pixel(result, 0, 0) == (255, 0, 0, 128)
    assert pixel(result, 42, 42) == (*BLUE, 255)


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
def test_a_result_past_the_limits_is_not_made(operation: ShapeOperation) -> None:
    limits = Limits(result_side=100)
    tall = Image.new("L", (1, 100))

    with pytest.raises(ImageTooBig):
        apply(tall if isinstance(operation, Resize) else tall.resize((100, 100)), operation, limits)


def test_a_canvas_past_the_limits_is_refused_before_it_is_made() -> None:
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
            spotted((300, 200)).resize((57, 43)),
            Image.new("RGB", (31, 17), RED),
            Image.new("RGBA", (20, 30)),
        ]
    ),
    st.sampled_from(WORK_MODES),
)


@settings(max_examples=300, deadline=None)
@given(image=images, operation=operations)
def test_a_settled_operation_does_the_same_and_looks_at_nothing(
    image: Image.Image, operation: ShapeOperation
) -> None:
    before = image.copy()
    settled = settle(image, operation)

    assert same(apply(image, operation), apply(image, settled))
    assert type(settled).model_validate_json(settled.model_dump_json()) == settled
    assert settle(Image.new(image.mode, image.size), settled) == settled
    assert same(image, before), "nothing changes what it is given"

"""Sizes and boxes of resizes and crops."""

import cmath
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.operations.choices import Fit, Gravity
from contracts.operations.shapes import Crop, Resize
from contracts.operations.sizes import Size, crop_box, place_resize, rotated_size
from services.imaging.engine.operations.dispatch import apply
from tests.imaging.pictures import UPRIGHT, corners, quadrants

sides = st.one_of(st.integers(1, 120), st.integers(1, 16_384))
fractions = st.none() | st.floats(0, 1)
resizes = st.builds(
    Resize,
    width=sides,
    height=st.none() | sides,
    fit=st.sampled_from(Fit),
    enlarge=st.sampled_from([False, True, "crop"]),
    gravity=st.sampled_from(Gravity),
    focus_x=fractions,
    focus_y=fractions,
    dpr=st.floats(1, 5),
)


def half_up(length: float) -> int:
    return int(length + 0.5)


@pytest.mark.parametrize(
    ("resize", "size"),
    [
        (Resize(width=40), (40, 30)),
        (Resize(height=30), (40, 30)),
        (Resize(width=160), (80, 60)),
        (Resize(width=160, enlarge=True), (160, 120)),
        (Resize(width=40, height=40), (40, 40)),
        (Resize(width=160, height=160), (60, 60)),
        (Resize(width=160, height=30), (80, 15)),
        (Resize(width=160, height=160, enlarge=True), (160, 160)),
        (Resize(width=160, height=160, enlarge="crop"), (80, 60)),
        (Resize(width=160, height=30, enlarge="crop"), (80, 30)),
        (Resize(width=40, height=160, enlarge="crop"), (40, 60)),
        (Resize(width=40, height=40, enlarge="crop"), (40, 40)),
        (Resize(width=160, enlarge="crop"), (80, 60)),
        (Resize(width=160, height=40, fit=Fit.FILL, enlarge="crop"), (80, 40)),
        (Resize(width=40, height=40, fit=Fit.CONTAIN), (40, 40)),
        (Resize(width=160, height=160, fit=Fit.CONTAIN), (160, 160)),
        (Resize(width=40, height=40, fit=Fit.FILL), (40, 40)),
        (Resize(width=160, height=40, fit=Fit.FILL), (80, 40)),
        (Resize(width=160, height=40, fit=Fit.FILL, enlarge=True), (160, 40)),
        (Resize(width=40, height=40, fit=Fit.INSIDE), (40, 30)),
        (Resize(width=160, height=240, fit=Fit.INSIDE), (80, 60)),
        (Resize(width=160, height=240, fit=Fit.INSIDE, enlarge=True), (160, 120)),
        (Resize(width=40, height=40, fit=Fit.OUTSIDE), (53, 40)),
        (Resize(width=160, height=40, fit=Fit.OUTSIDE), (80, 60)),
        (Resize(width=160, height=240, fit=Fit.OUTSIDE, enlarge=True), (320, 240)),
    ],
    ids=lambda value: value.model_dump_json(exclude={"op"}) if isinstance(value, Resize) else "",
)
def test_a_resize_has_the_size_it_promises(resize: Resize, size: tuple[int, int]) -> None:
    result = apply(quadrants(80, 60), resize)

    assert result.size == size
    if resize.fit is not Fit.CONTAIN:
        assert corners(result) == UPRIGHT


@pytest.mark.parametrize(("height", "half"), [(333, 167), (335, 168), (337, 169), (1, 1)])
def test_half_a_pixel_rounds_up(height: int, half: int) -> None:
    assert place_resize((1000, height), Resize(width=500)).size == (500, half)


def test_half_a_pixel_by_dpr_rounds_up() -> None:
    placement = place_resize((1000, 1000), Resize(width=5, height=3, dpr=1.5, fit=Fit.FILL))

    assert placement.size == (8, 5)


@given(picture=st.tuples(sides, sides), resize=resizes)
def test_a_placement_follows_the_fit(picture: Size, resize: Resize) -> None:
    placement = place_resize(picture, resize)
    left, upper, right, lower = placement.box
    box = (
        half_up((resize.width or picture[0]) * resize.dpr),
        half_up((resize.height or picture[1]) * resize.dpr),
    )
    is_scaled = resize.height is None or resize.fit in (Fit.INSIDE, Fit.OUTSIDE)

    assert 0 <= left < right <= picture[0]
    assert 0 <= upper < lower <= picture[1]
    if resize.enlarge is not True:
        assert placement.size[0] <= picture[0]
        assert placement.size[1] <= picture[1]
    if resize.height is not None and resize.fit is Fit.INSIDE:
        assert placement.canvas[0] <= box[0]
        assert placement.canvas[1] <= box[1]
    if resize.height is not None and resize.fit is Fit.OUTSIDE and resize.enlarge is True:
        assert placement.canvas[0] >= box[0]
        assert placement.canvas[1] >= box[1]
    if resize.fit is Fit.CONTAIN or (resize.enlarge is True and not is_scaled):
        assert resize.height is None or placement.canvas == box
    assert 0 <= placement.corner[0] <= placement.canvas[0] - placement.size[0]
    assert 0 <= placement.corner[1] <= placement.canvas[1] - placement.size[1]


@given(picture=st.tuples(sides, sides), resize=resizes)
def test_a_cover_of_enlarge_crop_has_the_lesser_of_each_side(picture: Size, resize: Resize) -> None:
    resize = resize.model_copy(update={"fit": Fit.COVER, "enlarge": "crop"})
    across, down = (half_up((side or 0) * resize.dpr) for side in (resize.width, resize.height))
    if down:
        assert place_resize(picture, resize).canvas == (
            min(across, picture[0]),
            min(down, picture[1]),
        )


@given(picture=st.tuples(sides, sides), degrees=st.floats(-360, 360))
def test_a_rotated_size_is_the_least_that_holds_all_corners(picture: Size, degrees: float) -> None:
    turn = cmath.exp(1j * math.radians(degrees))
    corners = [complex(x, y) * turn for x in (0, picture[0]) for y in (0, picture[1])]
    for side, along in zip(
        rotated_size(picture, degrees),
        ([corner.real for corner in corners], [corner.imag for corner in corners]),
        strict=True,
    ):
        assert side - 1 - 1e-6 < max(along) - min(along) < side + 1e-6


@given(picture=st.tuples(sides, sides), resize=resizes)
def test_dpr_equals_a_larger_box(picture: Size, resize: Resize) -> None:
    larger = resize.model_copy(
        update={
            "width": resize.width and half_up(resize.width * resize.dpr),
            "height": resize.height and half_up(resize.height * resize.dpr),
            "dpr": 1.0,
        }
    )

    assert place_resize(picture, resize) == place_resize(picture, larger)


@given(picture=st.tuples(sides, sides), resize=resizes, gravity=st.sampled_from(Gravity))
def test_gravity_moves_the_box_and_keeps_its_size(
    picture: Size, resize: Resize, gravity: Gravity
) -> None:
    one = place_resize(picture, resize)
    other = place_resize(picture, resize.model_copy(update={"gravity": gravity, "focus_x": None}))

    assert (one.size, one.canvas) == (other.size, other.canvas)
    for low in (0, 1):
        breadths = (placement.box[low + 2] - placement.box[low] for placement in (one, other))
        assert len({round(breadth, 6) for breadth in breadths}) == 1


@given(picture=st.tuples(sides, sides), box=st.tuples(sides, sides), x=st.floats(0, 1))
def test_a_focus_is_as_near_to_the_middle_as_possible(picture: Size, box: Size, x: float) -> None:
    resize = Resize(width=box[0], height=box[1], focus_x=x)
    placement = place_resize(picture, resize)
    left, upper, right, lower = placement.box
    point = x * picture[0]
    # Without scaling, the box has whole pixels.
    within = 0.5 if placement.size == (right - left, lower - upper) else 1e-6

    assert left - within <= point <= right + within
    if abs((left + right) / 2 - point) > within:
        assert left == pytest.approx(0) or right == pytest.approx(picture[0])


@given(
    picture=st.tuples(sides, sides),
    crop=st.builds(
        Crop,
        width=sides,
        height=sides,
        gravity=st.sampled_from(Gravity),
        focus_x=fractions,
        focus_y=fractions,
    ),
)
def test_a_crop_is_limited_to_the_picture(picture: Size, crop: Crop) -> None:
    left, upper, right, lower = crop_box(picture, crop)

    assert 0 <= left < right <= picture[0]
    assert 0 <= upper < lower <= picture[1]
    assert (right - left, lower - upper) == (
        min(crop.width, picture[0]),
        min(crop.height, picture[1]),
    )

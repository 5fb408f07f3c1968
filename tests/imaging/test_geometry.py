"""Every fit has the size, and shows the part, that it promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.shapes import Fit, Resize
from services.imaging.geometry import Size, place
from services.imaging.operations import apply
from tests.imaging.pictures import UPRIGHT, corners, quadrants

sides = st.one_of(st.integers(1, 120), st.integers(1, 16_384))
resizes = st.builds(
    Resize,
    width=sides,
    height=st.none() | sides,
    fit=st.sampled_from(Fit),
    enlarge=st.booleans(),
)


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


@given(picture=st.tuples(sides, sides), resize=resizes)
def test_a_resize_is_placed_as_its_fit_says(picture: Size, resize: Resize) -> None:
    placement = place(picture, resize)
    left, upper, right, lower = placement.box
    box = resize.width or picture[0], resize.height or picture[1]
    is_scaled = resize.height is None or resize.fit in (Fit.INSIDE, Fit.OUTSIDE)

    assert 0 <= left < right <= picture[0]
    assert 0 <= upper < lower <= picture[1]
    if not resize.enlarge:
        assert placement.size[0] <= picture[0]
        assert placement.size[1] <= picture[1]
    if resize.height is not None and resize.fit is Fit.INSIDE:
        assert placement.canvas[0] <= box[0]
        assert placement.canvas[1] <= box[1]
    if resize.height is not None and resize.fit is Fit.OUTSIDE and resize.enlarge:
        assert placement.canvas[0] >= box[0]
        assert placement.canvas[1] >= box[1]
    if resize.fit is Fit.CONTAIN or (resize.enlarge and not is_scaled):
        assert resize.height is None or placement.canvas == box

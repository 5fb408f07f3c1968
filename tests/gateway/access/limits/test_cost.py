"""The cost of renders, from headers and pipelines."""

import pytest

from contracts.imaging import Inspected
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from services.gateway.access.limits.cost import UNKNOWN, Picture, cost_of, picture_of

PHOTOGRAPH = Picture((3000, 2000))
LOGO, STAMP = "a" * 64, "b" * 64


def cost(picture: Picture | None, *pipelines: Pipeline, **watermarks: Picture) -> int:
    """Return the cost of renders of an image, None for one that nobody has read."""
    source = {} if picture is None else {"source": picture}
    known = {{"logo": LOGO, "stamp": STAMP}[name]: one for name, one in watermarks.items()}
    return cost_of({**source, **known}, "source", pipelines)


@pytest.mark.parametrize(
    ("operations", "pixels"),
    [
        ((), 6_000_000),
        (("resize:width=300",), 6_000_000),
        (("resize:width=6000,enlarge=true",), 24_000_000),
        (("resize:width=6000",), 6_000_000),
        (("pad:width=4000,height=4000",), 16_000_000),
        (("crop:width=10,height=10", "resize:width=5000,enlarge=true"), 25_000_000),
        # An image that is enlarged on its way counts at that size, although the result is small.
        (("resize:width=6000,enlarge=true", "resize:width=30"), 24_000_000),
    ],
)
def test_a_render_costs_the_largest_image_on_its_way(
    operations: tuple[str, ...], pixels: int
) -> None:
    assert cost(PHOTOGRAPH, parse_pipeline(operations)) == pixels


@pytest.mark.parametrize(
    "operations",
    [
        (),
        ("resize:width=10",),
        ("resize:width=10,height=10,fit=contain",),
        ("crop:width=10,height=10",),
        ("pad:width=10,height=10",),
        ("rotate:degrees=90", "resize:height=10"),
    ],
)
def test_an_image_that_is_not_stored_costs_nothing(operations: tuple[str, ...]) -> None:
    assert cost(Picture((0, 0)), parse_pipeline(operations)) == 0


def test_each_variant_of_a_job_costs_its_own() -> None:
    pipelines = [parse_pipeline([f"resize:width={width}"]) for width in (320, 640, 1280)]

    assert cost(PHOTOGRAPH, *pipelines) == 18_000_000
    assert cost(None, *pipelines) == 3 * UNKNOWN


def test_each_image_of_a_watermark_costs_its_pixels_once_for_each_render() -> None:
    drawn = [f"watermark:image={key}" for key in (LOGO, LOGO, STAMP)]
    logo, stamp = Picture((5000, 5000)), Picture((1000, 1000))
    twice = [parse_pipeline(drawn), parse_pipeline(drawn[:1], format="png")]

    assert cost(PHOTOGRAPH, parse_pipeline(drawn), logo=logo, stamp=stamp) == 32_000_000
    assert cost(PHOTOGRAPH, *twice, logo=logo, stamp=stamp) == 63_000_000
    assert cost(PHOTOGRAPH, parse_pipeline(drawn), stamp=stamp) == 7_000_000 + UNKNOWN


def test_each_frame_of_an_animation_costs_unless_the_result_is_still() -> None:
    animation = Picture((100, 100), frames=50)

    assert cost(animation, parse_pipeline(())) == 500_000
    assert cost(animation, parse_pipeline((), format="jpeg")) == 10_000
    assert cost(animation, parse_pipeline((), animated="false")) == 10_000


@pytest.mark.parametrize(("format", "frames"), [("gif", 50), ("tiff", 1)])
def test_of_the_pages_of_a_tiff_one_counts(format: str, frames: int) -> None:
    described = Inspected(
        format=format, media_type=f"image/{format}", mode="RGB", width=10, height=20, frames=50
    )
    assert picture_of(described) == Picture((10, 20), frames)

"""Estimates of cost: in the order of what renders take, and stopped before a pixel is decoded."""

import math
import time
from dataclasses import replace

import pytest

from contracts.operations.notation import parse_pipeline
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.cost import HeavyWork, estimate
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.animations import DURATIONS, animation, moving_square
from tests.imaging.forged import chunk
from tests.imaging.pictures import encoded, scenery

PHOTO = encoded(scenery(1600, 1200), "JPEG")

# In the order of what they take, and far apart.
RENDERS: tuple[tuple[list[str], dict[str, str]], ...] = (
    (["blur:20"], {"format": "jpeg"}),
    (["blur:1"] * 4, {"format": "jpeg"}),
    ([], {"format": "avif"}),
    (["sharpen"] * 4, {"format": "avif", "quality": "auto"}),
)


def seconds_of(render: Pipeline, data: bytes = PHOTO) -> float:
    return estimate(open_source(data, DEFAULT_LIMITS), render, {})


@pytest.mark.serial
@pytest.mark.timeout(240)  # it takes seconds of CPU time, and only those count
def test_estimates_are_in_the_order_of_real_renders_and_within_a_factor_of_three() -> None:
    pipelines = [parse_pipeline(operations, **output) for operations, output in RENDERS]
    estimated = [seconds_of(render) for render in pipelines]
    measured = [min(cpu_seconds(render) for _ in range(2)) for render in pipelines]
    assert sorted(estimated) == estimated
    assert sorted(measured) == measured
    ratios = [math.log(guess / taken) for guess, taken in zip(estimated, measured, strict=True)]
    # The speed of this machine is the mean ratio.
    speed = sum(ratios) / len(ratios)
    assert all(abs(ratio - speed) < math.log(3) for ratio in ratios), ratios


def cpu_seconds(render: Pipeline) -> float:
    started = time.process_time()
    pipeline.run(PHOTO, render)
    return time.process_time() - started


def test_32_blurs_on_100_megapixels_are_heavy_and_one_is_not() -> None:
    huge = open_source(encoded(scenery(100, 100).resize((10_000, 10_000)), "JPEG"), DEFAULT_LIMITS)
    assert estimate(huge, parse_pipeline(["blur:100"] * 32), {}) > 60
    assert 1 < estimate(huge, parse_pipeline(["blur:100"]), {}) < 5
    assert estimate(huge, parse_pipeline(["resize:width=300", *["blur:9"] * 31]), {}) < 5


@pytest.mark.parametrize(
    ("dear", "cheap"),
    [
        ({"quality": "auto"}, {}),
        ({"max_bytes": "50000"}, {}),
        ({"format": "avif"}, {"format": "jpeg"}),
        ({"format": "webp", "lossless": "true"}, {"format": "webp"}),
        ({"progressive": "true", "format": "jpeg"}, {"format": "jpeg"}),
    ],
)
def test_what_is_encoded_more_often_or_longer_costs_more(
    dear: dict[str, str], cheap: dict[str, str]
) -> None:
    assert seconds_of(parse_pipeline([], **dear)) > 1.5 * seconds_of(parse_pipeline([], **cheap))


def test_an_enlargement_makes_the_operations_after_it_dear() -> None:
    small = encoded(scenery(64, 48), "PNG")
    enlarged = parse_pipeline(["resize:width=9000,enlarge=true", *["blur:1"] * 8])
    assert seconds_of(enlarged, small) > 10
    assert seconds_of(parse_pipeline(["blur:1"] * 8), small) < 0.1


def test_the_conversion_of_dear_colours_counts() -> None:
    plain = encoded(scenery(400, 300), "PNG")
    described = plain[:33] + chunk(b"cICP", bytes([9, 16, 0, 1])) + plain[33:]
    ink, render = scenery(400, 300).convert("CMYK"), parse_pipeline([], format="jpeg")
    assert seconds_of(render, described) > 2 * seconds_of(render, plain)
    of_a_press = encoded(ink, "TIFF", icc_profile=bytes(36) + b"acsp" + bytes(92))
    assert seconds_of(render, of_a_press) > 2 * seconds_of(render, encoded(ink, "TIFF"))


def test_every_frame_counts_only_where_the_result_is_animated() -> None:
    moving = animation("GIF", moving_square())
    animated = seconds_of(parse_pipeline(["blur:1"], format="webp"), moving)
    still = seconds_of(parse_pipeline(["blur:1"], format="webp", animated="false"), moving)
    assert animated == pytest.approx(len(DURATIONS) * still)


def test_beyond_its_budget_a_render_is_not_started() -> None:
    limits = replace(DEFAULT_LIMITS, seconds=0.001)
    with pytest.raises(HeavyWork) as heavy:
        pipeline.run(PHOTO, parse_pipeline(["blur:1"]), limits)
    assert heavy.value.seconds == pytest.approx(seconds_of(parse_pipeline(["blur:1"])))
    pipeline.run(PHOTO, parse_pipeline(["blur:1"]), replace(limits, seconds=60))


def test_the_pixels_of_watermarks_count() -> None:
    logo = "b" * 64
    marked = Pipeline(operations=(Watermark(image=logo, scale=0.1),))
    limits = replace(DEFAULT_LIMITS, seconds=0.2)
    small = encoded(scenery(64, 48), "PNG")
    pipeline.run(small, marked, limits, images={logo: small})
    with pytest.raises(HeavyWork):
        pipeline.run(small, marked, limits, images={logo: encoded(scenery(5000, 4000), "PNG")})

"""Any pipeline gives the size that it promises, whatever was decoded before."""

import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation, ServiceError
from contracts.formats import Format
from contracts.operations.choices import Axis, Fit
from contracts.operations.looks import Adjust, Blur, Grayscale, Sharpen
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Flip, Resize, Rotate
from contracts.operations.sizes import Size, place_resize
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.run_still import DecodeCache
from services.imaging.engine.safety.limits import Limits
from tests.imaging.pictures import (
    encoded,
    quadrants,
    scenery,
)

SOURCES = [
    encoded(quadrants(50, 37), "JPEG"),
    encoded(quadrants(37, 50).convert("LA"), "PNG"),
    encoded(scenery(64, 21).convert("RGBA"), "WEBP"),
    encoded(quadrants(1, 90), "PNG"),
    encoded(scenery(203, 155), "JPEG"),
    encoded(quadrants(33, 8, "P"), "GIF"),
]


sides = st.one_of(st.integers(1, 120), st.integers(1, 16_384))


factors = st.floats(0, 10)


resizes = st.builds(
    Resize,
    width=sides,
    height=st.none() | sides,
    fit=st.sampled_from(Fit),
    enlarge=st.booleans(),
)


steps = st.one_of(
    resizes,
    st.builds(
        Crop,
        left=st.integers(0, 30),
        top=st.integers(0, 30),
        width=st.integers(1, 60),
        height=st.integers(1, 60),
    ),
    st.builds(Rotate, degrees=st.sampled_from([0, 90, -180, 270])),
    st.builds(Flip, axis=st.sampled_from(Axis)),
    st.just(Grayscale()),
    st.builds(Blur, radius=st.floats(0, 100, exclude_min=True)),
    st.builds(Sharpen, amount=factors),
    st.builds(Adjust, brightness=factors, contrast=factors, saturation=factors),
)


pipelines = st.builds(
    Pipeline,
    operations=st.lists(steps, max_size=5).map(tuple),
    output=st.builds(
        Output, format=st.none() | st.sampled_from(Format), quality=st.integers(1, 100)
    ),
)


SMALL = Limits(result_side=400, result_pixels=100_000)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.sampled_from(SOURCES), asked=pipelines)
def test_any_pipeline_gives_the_promised_size_or_a_typed_error(
    data: bytes, asked: Pipeline
) -> None:
    inspected = decode.inspect(data)
    try:
        picture = pipeline.run(data, asked, SMALL)
    except (InvalidOperation, ImageTooBig):
        return

    result = Image.open(io.BytesIO(picture.data))
    format_of_source = {"jpeg": Format.JPEG, "webp": Format.WEBP}.get(inspected.format, Format.PNG)
    assert picture.format is (asked.output.format or format_of_source)
    assert result.format == picture.format.upper()
    assert result.size == (picture.width, picture.height)
    assert picture.width <= SMALL.result_side
    assert result.size == promised((inspected.width, inspected.height), asked.operations)


def promised(size: Size, asked: tuple[Operation, ...]) -> Size:
    """The size that the operations promise."""
    for operation in asked:
        match operation:
            case Resize():
                size = place_resize(size, operation).canvas
            case Crop():
                size = operation.width, operation.height
            case Rotate() if operation.degrees % 180:
                size = size[1], size[0]
            case _:
                pass
    return size


@given(data=st.sampled_from(SOURCES), asked=st.lists(pipelines, min_size=2, max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_decode_cache_does_not_change_bytes(data: bytes, asked: list[Pipeline]) -> None:
    decode_cache: DecodeCache = {}
    for one in asked:
        try:
            alone = pipeline.run(data, one, SMALL).data
        except ServiceError:
            continue
        assert pipeline.run(data, one, SMALL, decode_cache).data == alone

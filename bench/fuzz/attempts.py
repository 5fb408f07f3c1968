"""Calls of the engine with a damaged file, and how they ended."""

from collections.abc import Callable, Iterator

from contracts.errors import ImageTooBig, ImageUnreadable, InvalidOperation, UnsupportedFormat
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.inspection import inspect
from services.imaging.engine.safety.limits import Limits

NAMED_ERRORS = (ImageUnreadable, UnsupportedFormat, ImageTooBig, InvalidOperation)

# Far below the default limits: a decoder's faults show with few pixels, too.
SMALL = Limits(frame_pixels=4_000_000, frames=50, total_pixels=8_000_000, result_pixels=4_000_000)

PIPELINES = tuple(
    Pipeline.model_validate(fields)
    for fields in (
        {
            "operations": [{"op": "resize", "width": 20, "height": 20}],
            "output": {"format": "jpeg", "metadata": "keep"},
        },
        {"output": {"metadata": "keep", "icc": "keep"}},
        {
            "operations": [{"op": "grayscale"}, {"op": "resize", "width": 16}, {"op": "flip"}],
            "output": {"format": "png", "metadata": "keep"},
        },
        {
            "operations": [
                {"op": "crop", "width": 20, "height": 16, "gravity": "smart"},
                {"op": "trim"},
                {"op": "autocontrast"},
                {"op": "text", "text": "a"},
            ],
            "output": {"format": "gif", "palette": 16},
        },
        {
            "operations": [{"op": "rotate", "degrees": 30}, {"op": "sepia"}],
            "output": {"format": "webp", "metadata": "copyright", "quality": "auto"},
        },
        {"operations": [{"op": "blur", "radius": 2}], "output": {"format": "tiff", "icc": "keep"}},
    )
)


def attempts(data: bytes, number: int) -> Iterator[Callable[[], object]]:
    """Yield three calls with a file: inspect the header, inspect the pixels, render."""
    chosen = PIPELINES[(number // 7) % len(PIPELINES)]
    yield lambda: decode.inspect(data, SMALL)
    yield lambda: inspect.inspect_pixels(data, SMALL, place=True)
    yield lambda: pipeline.run(data, chosen, SMALL)


def outcome(attempt: Callable[[], object]) -> str:
    """Return "done" or the code of a named error. Raises any other exception."""
    try:
        attempt()
    except NAMED_ERRORS as exc:
        return exc.code.value
    return "done"

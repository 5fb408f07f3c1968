"""The main line: bytes, a source, pixels, operations, bytes again."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from contracts.errors import ImageTooBig
from contracts.looks import Blur, Grayscale
from contracts.operations import Operation, Pipeline
from contracts.outputs import Format
from contracts.shapes import Crop, Flip, Resize, Rotate
from services.imaging import codecs, operations, shapes
from services.imaging.codecs import Decoded, Draft
from services.imaging.geometry import Size, place
from services.imaging.limits import DEFAULT_LIMITS, Limits
from services.imaging.source import open_source

# How many times the size wanted a draft has to be: 44 dB and more against a resize of every pixel.
_DRAFT_MARGIN = 1.75

# What treats every channel alike, so that luma alone comes out as it would from the colours.
_LINEAR = (Resize, Crop, Rotate, Flip, Blur)


@dataclass(frozen=True)
class Picture:
    """A result, and the milliseconds that went into it."""

    data: bytes
    format: Format
    media_type: str
    width: int
    height: int
    decode_ms: float
    operations_ms: float
    encode_ms: float


Negatives = dict[Draft, Decoded]
"""What has been decoded of one source; pipelines that need the same of it can share it."""

# As many pixels of a source are kept, all its drafts together: 64 MB in colour.
_KEPT_PIXELS = 20_000_000


def run(
    data: bytes,
    pipeline: Pipeline,
    limits: Limits = DEFAULT_LIMITS,
    negatives: Negatives | None = None,
) -> Picture:
    """Render: the same bytes and pipeline give the same bytes.

    With `negatives` of the same bytes, what was decoded before is not decoded again, and what is
    decoded now is put there. Raises ImageUnreadable, ImageTooBig, UnsupportedFormat and
    InvalidOperation.
    """
    try:
        return _render(data, pipeline, limits, {} if negatives is None else negatives)
    except MemoryError as exc:
        raise ImageTooBig("The pipeline takes more memory than it may.") from exc


def rehearse() -> None:
    """Load what the first use of a format loads, so that no picture has to wait for it."""
    for format in Format:
        tiny = codecs.encode(Image.new("RGB", (8, 8)), format, quality=80)
        run(tiny, Pipeline(operations=(Resize(width=4),)))


def _render(data: bytes, pipeline: Pipeline, limits: Limits, negatives: Negatives) -> Picture:
    started = time.perf_counter()
    source = open_source(data, limits)
    before, resize, after = _split(pipeline.operations)
    draft = Draft(
        size=_draft_size(source.size, resize) if resize else None,
        mode="L" if _ends_gray(pipeline.operations) else None,
    )
    decoded = negatives.get(draft) or codecs.decode(source, draft)
    _keep(decoded, draft, negatives)
    image = decoded.image
    decoded_at = time.perf_counter()

    for operation in before:
        image = operations.apply(image, operation, limits)
    if resize:
        image = shapes.resize(image, resize, decoded.extent, limits)
    for operation in after:
        image = operations.apply(image, operation, limits)
    limits.check_result(*image.size)
    operated_at = time.perf_counter()

    format = pipeline.output.format or _as_it_came(source.format)
    encoded = codecs.encode(image, format, pipeline.output.quality)
    encoded_at = time.perf_counter()
    return Picture(
        data=encoded,
        format=format,
        media_type=f"image/{format}",
        width=image.width,
        height=image.height,
        decode_ms=(decoded_at - started) * 1000,
        operations_ms=(operated_at - decoded_at) * 1000,
        encode_ms=(encoded_at - operated_at) * 1000,
    )


def _keep(decoded: Decoded, draft: Draft, negatives: Negatives) -> None:
    kept = sum(math.prod(one.image.size) for one in negatives.values())
    if kept + math.prod(decoded.image.size) <= _KEPT_PIXELS:
        negatives[draft] = decoded


def _split(
    steps: tuple[Operation, ...],
) -> tuple[Sequence[Operation], Resize | None, Sequence[Operation]]:
    """The resize that sees the whole picture, if one does; what comes before; what comes after."""
    for position, operation in enumerate(steps):
        if isinstance(operation, Resize):
            return steps[:position], operation, steps[position + 1 :]
        if not isinstance(operation, Grayscale):
            break
    return steps, None, ()


def _draft_size(picture: Size, resize: Resize) -> Size:
    placement = place(picture, resize)
    left, upper, right, lower = placement.box
    return (
        math.ceil(picture[0] * placement.size[0] / (right - left) * _DRAFT_MARGIN),
        math.ceil(picture[1] * placement.size[1] / (lower - upper) * _DRAFT_MARGIN),
    )


def _ends_gray(steps: tuple[Operation, ...]) -> bool:
    for operation in steps:
        if isinstance(operation, Grayscale):
            return True
        if not isinstance(operation, _LINEAR):
            break
    return False


def _as_it_came(source_format: str) -> Format:
    try:
        return Format(source_format)
    except ValueError:
        return Format.PNG

"""The main line: bytes, a source, pixels, operations, bytes again."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from contracts.errors import (
    ImageTooBig,
    ImageUnreadable,
    InvalidOperation,
    UnsupportedFormat,
)
from contracts.formats import Format
from contracts.operations.looks import Blur, Grayscale
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Extract, Filter, Flip, Flop, Gravity, Resize, Rotate
from services.imaging.engine import run_animation
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.decode import Decoded, Draft
from services.imaging.engine.decoding.source import Source, open_source
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.encoding.result import is_moving, write
from services.imaging.engine.encoding.result import keeps_profile as keeps_profile_of
from services.imaging.engine.formats import plugins
from services.imaging.engine.metadata.policy import select_metadata
from services.imaging.engine.operations import dispatch, shapes
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.operations.resources import Resources
from services.imaging.engine.raster.geometry import Size, place
from services.imaging.engine.raster.profiles import fitting
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

# How many times the size wanted a draft has to be: 44 dB and more against a resize of every pixel
# for photographs, and 40 for thin lines.
_DRAFT_MARGIN = 1.75

# These take pixels as they are: from a draft, which is averaged, they give another picture.
_OF_WHOLE_PIXELS = (Filter.NEAREST, Filter.BOX)

# What treats every channel alike, so that luma alone comes out as it would from the colours.
_LINEAR = (Resize, Crop, Extract, Rotate, Flip, Flop, Blur)


@dataclass(frozen=True)
class Rendition:
    """A result, and the milliseconds that went into it."""

    data: bytes
    format: Format
    media_type: str
    width: int
    height: int
    decode_ms: float
    operations_ms: float
    encode_ms: float


DecodeCache = dict[Draft, Decoded]
"""What has been decoded of one source; pipelines that need the same of it can share it."""

# As many pixels of a source are kept, all its drafts together: 64 MB in colour.
_KEPT_PIXELS = 20_000_000


def run(
    data: bytes,
    pipeline: Pipeline,
    limits: Limits = DEFAULT_LIMITS,
    decode_cache: DecodeCache | None = None,
    images: Mapping[str, bytes] = MappingProxyType({}),
    fonts: Fonts = BUNDLED_FONTS,
) -> Rendition:
    """Render: the same bytes and pipeline give the same bytes.

    With `negatives` of the same bytes, what was decoded before is not decoded again, and what is
    decoded now is put there; an animation's frames are not. `images` has what the pipeline needs
    besides, `fonts` those that a text may name. Raises ImageUnreadable, ImageTooBig,
    UnsupportedFormat, InvalidOperation and NotFound.
    """
    shared = {} if decode_cache is None else decode_cache
    try:
        return _render(data, pipeline, limits, shared, images, fonts)
    except MemoryError as exc:
        raise ImageTooBig("The pipeline takes more memory than it may.") from exc


def warm_up() -> None:
    """Load what the first use of a format loads, so that no picture has to wait for it."""
    # Freed pixels are kept for the next picture: 3,000 page faults a render less.
    Image.core.set_blocks_max(4)  # type: ignore[attr-defined]
    for format in plugins.INSTALLED:
        tiny = encode(Image.new("RGB", (8, 8)), Encoding(format), quality=80)
        run(tiny, Pipeline(operations=(Resize(width=4),)))


def _render(
    data: bytes,
    pipeline: Pipeline,
    limits: Limits,
    decode_cache: DecodeCache,
    others: Mapping[str, bytes],
    fonts: Fonts,
) -> Rendition:
    started = time.perf_counter()
    source = open_source(data, limits)
    images = {key: _other(key, others[key], limits) for key in pipeline.images if key in others}
    beside = Resources(images, fonts)
    output = pipeline.output
    keeps_profile = keeps_profile_of(source, output)
    # Decoding forgets them.
    notes = select_metadata(
        source.image,
        output.metadata,
        becomes_srgb="icc_profile" in source.image.info and not keeps_profile,
    )
    if is_moving(source, output):
        decoded_at = time.perf_counter()
        image: Image.Image
        image, profile = run_animation.film(
            source, pipeline.operations, limits, beside, keeps_profile=keeps_profile
        )
    else:
        first = _decoded(source, pipeline, decode_cache, keeps_profile=keeps_profile)
        decoded_at = time.perf_counter()
        operated = _operated(first, pipeline.operations, limits, beside)
        image, profile = fitting(operated, first.profile)
    limits.check_result(*image.size)
    operated_at = time.perf_counter()

    format, written = write(image, output, source.format, notes, profile)
    encoded_at = time.perf_counter()
    return Rendition(
        data=written,
        format=format,
        media_type=format.spec.media_type,
        width=image.width,
        height=image.height,
        decode_ms=(decoded_at - started) * 1000,
        operations_ms=(operated_at - decoded_at) * 1000,
        encode_ms=(encoded_at - operated_at) * 1000,
    )


def _decoded(
    source: Source, pipeline: Pipeline, decode_cache: DecodeCache, *, keeps_profile: bool
) -> Decoded:
    draft = _draft(source, pipeline.operations, keeps_profile=keeps_profile)
    decoded = decode_cache.get(draft) or decode.decode(source, draft)
    _keep(decoded, draft, decode_cache)
    return decoded


def _other(key: str, data: bytes, limits: Limits) -> Image.Image:
    """Another image that the pipeline needs; what is wrong with it is not wrong with the source."""
    try:
        return decode.decode(open_source(data, limits)).image
    except (ImageUnreadable, UnsupportedFormat) as exc:
        raise InvalidOperation(f"The image {key} can't be used: {exc.detail}") from exc


def _operated(
    decoded: Decoded,
    steps: tuple[Operation, ...],
    limits: Limits,
    beside: Resources,
) -> Image.Image:
    before, resize, after = _split(steps)
    image = decoded.image
    for operation in before:
        image = dispatch.apply(image, operation, limits, beside)
    if resize:
        image = shapes.resize(image, resize, decoded.extent, limits)
    for operation in after:
        image = dispatch.apply(image, operation, limits, beside)
    return image


def _keep(decoded: Decoded, draft: Draft, decode_cache: DecodeCache) -> None:
    kept = sum(math.prod(one.image.size) for one in decode_cache.values())
    if kept + math.prod(decoded.image.size) <= _KEPT_PIXELS:
        decode_cache[draft] = decoded


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


def _draft(source: Source, steps: tuple[Operation, ...], *, keeps_profile: bool) -> Draft:
    """What the decoder is asked for; the same for all pipelines that get the same of it."""
    if source.format is not Format.JPEG:
        return Draft(keeps_profile=keeps_profile)
    _, resize, _ = _split(steps)
    scale = 1
    if resize and resize.filter not in _OF_WHOLE_PIXELS:
        scale = _scale(source.size, _draft_size(source.size, resize))
    return Draft(
        size=(source.size[0] // scale, source.size[1] // scale) if scale > 1 else None,
        # A profile speaks of colours, and so it has to see them.
        mode="L" if _ends_gray(steps) and not source.image.info.get("icc_profile") else None,
        keeps_profile=keeps_profile,
    )


def _scale(picture: Size, wanted: Size) -> int:
    """The largest by which a JPEG's decoder divides that leaves as much as is wanted."""
    most = min(have // want for have, want in zip(picture, wanted, strict=True))
    return max((scale for scale in (2, 4, 8) if scale <= most), default=1)


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
        if not isinstance(operation, _LINEAR) or _sees_colours(operation):
            break
    return False


def _sees_colours(operation: Operation) -> bool:
    return isinstance(operation, Resize | Crop) and operation.gravity is Gravity.SMART

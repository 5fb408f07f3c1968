"""Run a pipeline: the engine's entry point, from an image file's bytes to a rendition's.

1. Open: read the header, and refuse a file beyond the limits before any pixel is decoded.
2. Decode: to upright pixels in L, LA, RGB or RGBA; a still only as large as the pipeline needs.
3. Operate: apply the operations in order.
4. Encode: choose the format, and write the file with the metadata and profile that are kept.

Steps 2 and 3 are in `run_still.py` and, frame by frame, in `run_animation.py`.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from contracts.errors import ImageUnreadable, InvalidOperation, UnsupportedFormat
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from services.imaging.engine.cost import check_cost
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source, open_source
from services.imaging.engine.encoding import format_choice, result
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.formats import plugins
from services.imaging.engine.metadata.policy import select_metadata
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.operations.overlays import Resources
from services.imaging.engine.raster.colours import SRGB
from services.imaging.engine.raster.profiles import match_profile
from services.imaging.engine.run_animation import make_animation
from services.imaging.engine.run_still import DecodeCache, apply_operations, decode_still
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Rendition:
    """The result of a pipeline: an image file, its size in pixels, and the time of each step.

    All frames of an animation but the first are decoded and operated on while they are encoded, so
    their time counts as `encode_ms`.
    """

    data: bytes
    format: Format
    media_type: str
    width: int
    height: int
    decode_ms: float
    operations_ms: float
    encode_ms: float


def run(
    data: bytes,
    pipeline: Pipeline,
    limits: Limits = DEFAULT_LIMITS,
    decode_cache: DecodeCache | None = None,
    images: Mapping[str, bytes] = MappingProxyType({}),
    fonts: Fonts = BUNDLED_FONTS,
) -> Rendition:
    """Render an image file; the same arguments give the same bytes.

    `images` has the files that `pipeline.images` names, by key. `decode_cache` shares decoded
    pixels between calls with the same `data`: a still found there is not decoded again, and one
    decoded now is added. Raises ImageUnreadable and UnsupportedFormat for the file, ImageTooBig,
    InvalidOperation and NotFound for what the pipeline asks, MemoryError if memory runs out, and
    HeavyWork, before a pixel is decoded, if the estimate is beyond `limits.seconds`.
    """
    cache = {} if decode_cache is None else decode_cache
    operations, output = pipeline.operations, pipeline.output
    started = time.perf_counter()
    source = open_source(data, limits)
    is_animated = format_choice.is_animated(source, output)
    used = {key: images[key] for key in pipeline.images if key in images}
    overlays = _open_overlays(
        used, limits, beside=math.prod(source.size) * (source.frames if is_animated else 1)
    )
    if limits.seconds < math.inf:
        check_cost(source, pipeline, overlays, limits.seconds)
    resources = Resources(_decode_overlays(overlays), fonts)
    keeps_profile = format_choice.keeps_profile(source, output)
    # Before decoding, which drops the metadata.
    becomes_srgb = source.colours != SRGB and not keeps_profile
    metadata = select_metadata(source.image, output.metadata, becomes_srgb=becomes_srgb)

    image: Image.Image
    if is_animated:
        decoded_at = time.perf_counter()
        image, profile = make_animation(
            source, operations, limits, resources, keeps_profile=keeps_profile
        )
    else:
        decoded = decode_still(source, operations, cache, keeps_profile=keeps_profile)
        decoded_at = time.perf_counter()
        image = apply_operations(decoded, operations, limits, resources)
        image, profile = match_profile(image, decoded.profile)
    limits.check_result(*image.size)
    operated_at = time.perf_counter()

    format, encoded = result.write(
        image, output, source.format, metadata, profile, limits.result_bytes
    )
    encoded_at = time.perf_counter()
    return Rendition(
        data=encoded,
        format=format,
        media_type=format.spec.media_type,
        width=image.width,
        height=image.height,
        decode_ms=(decoded_at - started) * 1000,
        operations_ms=(operated_at - decoded_at) * 1000,
        encode_ms=(encoded_at - operated_at) * 1000,
    )


def warm_up() -> None:
    """Load each format's codec, which is loaded at its first use, so that no request waits."""
    # Keep freed memory for the next image: 3,000 page faults a render less.
    Image.core.set_blocks_max(4)  # type: ignore[attr-defined]  # the stubs lack it
    for format in plugins.INSTALLED:
        tiny = encode(Image.new("RGB", (8, 8)), Encoding(format), quality=80)
        run(tiny, Pipeline(operations=(Resize(width=4),)))


def _open_overlays(
    images: Mapping[str, bytes], limits: Limits, *, beside: int
) -> dict[str, Source]:
    """Open the images that operations lay over a source of `beside` pixels, by key.

    Raises ImageTooBig, and InvalidOperation if an image can't be read: the source is not to blame.
    """
    sources = {}
    pixels = beside
    for key, data in images.items():
        with _blaming_overlay(key):
            sources[key] = open_source(data, limits)
        pixels += math.prod(sources[key].size)
        limits.check_total(pixels)
    return sources


def _decode_overlays(sources: Mapping[str, Source]) -> dict[str, Image.Image]:
    """Decode opened overlays. Raises InvalidOperation if one can't be read."""
    overlays = {}
    for key, source in sources.items():
        with _blaming_overlay(key):
            overlays[key] = decode.decode(source).image
    return overlays


@contextmanager
def _blaming_overlay(key: str) -> Iterator[None]:
    try:
        yield
    except (ImageUnreadable, UnsupportedFormat) as exc:
        raise InvalidOperation(f"The image {key} can't be used: {exc.detail}") from exc

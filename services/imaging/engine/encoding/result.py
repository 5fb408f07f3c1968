"""Encode a result: in the format chosen, at the quality asked for, within `max_bytes`."""

from dataclasses import replace

from PIL import Image

from contracts.formats import Format
from contracts.outputs import AUTO, Output
from services.imaging.engine.encoding import format_choice, quality_search
from services.imaging.engine.encoding.encode import Encoding, ResultTooBig, encode
from services.imaging.engine.metadata import jpeg_fit
from services.imaging.engine.metadata.policy import KeptMetadata
from services.imaging.engine.raster.alpha import drop_alpha, has_transparent_pixels
from services.imaging.engine.raster.animation import Animation

# Frames of an animation that is encoded several times are kept up to 200 MB. A longer animation
# draws its frames again for each encode.
_MAX_CACHED_PIXELS = 50_000_000


def write(
    image: Image.Image,
    output: Output,
    source_format: Format,
    metadata: KeptMetadata,
    profile: bytes,
    limit: int,
) -> tuple[Format, bytes]:
    """Return the result's format and its bytes; `image` may be an `Animation`.

    `profile` is the ICC profile of the image, empty for sRGB. Raises InvalidOperation if the result
    is larger than `max_bytes` or cannot be lossless, and ImageTooBig if the format has no such
    size, or if every result would have more than `limit` bytes.
    """
    if not isinstance(image, Animation) and format_choice.depends_on_alpha(output, source_format):
        # An alpha channel that is opaque throughout must not rule out a format.
        image = image if has_transparent_pixels(image) else drop_alpha(image)
    able = format_choice.able_formats(image, output)
    compare = output.max_bytes is None and not _is_long(image)
    if compare and (len(able) > 1 or any(map(format_choice.has_two_forms, able))):
        image = _cached(image)
    best: tuple[Format, bytes] | None = None
    for format, settings in format_choice.attempts(
        image, output, able, source_format, compare=compare
    ):
        try:
            data = _encoded(image, format, settings, metadata, profile, limit)
        except ResultTooBig as exc:
            refusal = exc
            continue
        if best is None or len(data) < len(best[1]):
            best = format, data
    if best is None:
        raise refusal
    return best


def _encoded(
    image: Image.Image,
    format: Format,
    output: Output,
    metadata: KeptMetadata,
    profile: bytes,
    limit: int,
) -> bytes:
    """Return the image in one format; the quality is searched for with `auto` or `max_bytes`.

    Raises InvalidOperation if it is larger than `max_bytes`, and ImageTooBig as `encode`. `limit`
    does not count while a quality is searched for.
    """
    encoding = Encoding(
        format=format,
        lossless=output.lossless,
        progressive=output.progressive,
        chroma=output.chroma,
        palette=output.palette,
        metadata=jpeg_fit.fit(metadata, format),
        profile=profile,
        limit=limit,
    )

    def at_quality(quality: int) -> bytes:
        return encode(image, encoding, quality)

    max_bytes = output.max_bytes
    if not format.spec.quality or output.lossless:
        data = at_quality(100)
        if max_bytes is not None and len(data) > max_bytes:
            raise quality_search.too_large(len(data), max_bytes, f"as a {format} without loss")
        return data
    if output.quality == AUTO:
        # An animation gets the quality that its first frame needs.
        still = image.first_frame if isinstance(image, Animation) else image
        unlimited = replace(encoding, limit=None)
        quality = quality_search.lowest_good_quality(
            still, lambda quality: encode(still, unlimited, quality)
        )
    else:
        quality = output.quality
    if max_bytes is None:
        return at_quality(quality)
    cached, unlimited = _cached(image), replace(encoding, limit=None)
    return quality_search.encode_within(
        lambda quality: encode(cached, unlimited, quality), min(max_bytes, limit), quality
    )


def _is_long(image: Image.Image) -> bool:
    return (
        isinstance(image, Animation)
        and image.n_frames * image.width * image.height > _MAX_CACHED_PIXELS
    )


def _cached(image: Image.Image) -> Image.Image:
    """Return an animation that keeps its frames, unless it is long; a still as it is."""
    return image.cached() if isinstance(image, Animation) and not _is_long(image) else image

"""Bytes to upright sRGB pixels and back; metadata ends here."""

import io
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from PIL import Image

from contracts.errors import ImageTooBig
from contracts.imaging import Inspected
from contracts.outputs import Format
from services.imaging.colours import on_white, to_srgb
from services.imaging.geometry import Box, Extent, Size
from services.imaging.limits import DEFAULT_LIMITS, Limits
from services.imaging.source import Source, hostile_bytes, open_source

_WEBP_SIDE = 16_383

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Draft:
    """What would do in place of every pixel, where a decoder has a shorter way to it."""

    size: Size | None = None  # upright, at least
    mode: Literal["L"] | None = None


NO_DRAFT = Draft()


@dataclass(frozen=True)
class Decoded:
    """An image in L, LA, RGB or RGBA, and where in it the picture lies."""

    image: Image.Image
    extent: Extent


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Inspected:
    """What the header says. Raises ImageUnreadable, ImageTooBig and UnsupportedFormat."""
    source = open_source(data, limits)
    width, height = source.size
    return Inspected(
        format=source.format,
        media_type=source.media_type,
        mode=source.image.mode,
        width=width,
        height=height,
        frames=source.frames,
        orientation=source.orientation,
    )


def decode(source: Source, draft: Draft = NO_DRAFT) -> Decoded:
    """The first frame, upright and in sRGB. Raises ImageUnreadable and ImageTooBig."""
    image = source.image
    profile = image.info.get("icc_profile")
    with hostile_bytes():
        drafted = image.draft(
            # A profile speaks of colours, and so it has to see them.
            None if profile else draft.mode,
            _as_stored(draft.size, source.orientation) if draft.size else None,
        )
        image.load()
        stored = image.size
        plain = to_srgb(image, profile)
        # Pillow has turned a TIFF already.
        turn = None if source.format == "tiff" else _UPRIGHT.get(source.orientation)
        upright = plain if turn is None else plain.transpose(turn)
        if getattr(upright, "is_animated", False):
            # An encoder would go through the frames that follow; a copy knows nothing of them.
            upright = upright.copy()
    upright.info = {}
    if drafted is None:
        return Decoded(upright, Extent.whole(upright.size))
    box = _upright_box(drafted[1], stored, source.orientation)
    return Decoded(upright, Extent(source.size, box))


def encode(image: Image.Image, format: Format, quality: int) -> bytes:
    """The image as a file with no metadata. Raises ImageTooBig where the format can't hold it."""
    match format:
        case Format.JPEG:
            return _saved(on_white(image), format, quality=quality)
        case Format.PNG:
            # Level 6, the default, takes three times as long and saves 4 percent.
            return _saved(image, format, compress_level=3)
        case Format.WEBP:
            if max(image.size) > _WEBP_SIDE:
                raise ImageTooBig(f"A WebP has at most {_WEBP_SIDE:,} pixels a side.")
            # Method 4 takes twice as long and saves 4 percent.
            return _saved(image, format, quality=quality, method=2)
        case Format.AVIF:
            # The bytes depend on the number of threads, and a process has one core anyway.
            return _saved(image, format, quality=quality, speed=8, max_threads=1)
        case _:
            assert_never(format)


def _saved(image: Image.Image, format: Format, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format.value, **options)
    return buffer.getvalue()


def _as_stored(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if orientation >= 5 else size


def _upright_box(box: Box, stored: Size, orientation: int) -> Box:
    """Where a draft's picture lies once upright: what it has over moves with the corners."""
    width, height = box[2], box[3]
    over_across, over_down = stored[0] - width, stored[1] - height
    if orientation >= 5:
        width, height = height, width
        over_across, over_down = over_down, over_across
    left = over_across if orientation in (2, 3, 6, 7) else 0
    upper = over_down if orientation in (3, 4, 7, 8) else 0
    return left, upper, left + width, upper + height

"""Bytes to upright pixels, in sRGB unless they are to stay as they are."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageFile

from contracts.errors import ImageUnreadable
from contracts.formats import Format
from contracts.imaging import Inspected
from services.imaging.engine.decoding.source import Source, open_source, read_jxl
from services.imaging.engine.formats.png_transparency import with_transparency
from services.imaging.engine.raster.animation import Frame
from services.imaging.engine.raster.geometry import Box, Extent, Size
from services.imaging.engine.raster.profiles import keep_colours, to_srgb
from services.imaging.engine.safety.decode_errors import translate_decode_errors
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

_LONGEST_FRAME = 655_350  # milliseconds: what a GIF can say

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
    """What would do in place of every pixel, where a decoder has a shorter way to it.

    Colours become sRGB, unless they are to keep the profile that they have.
    """

    size: Size | None = None  # upright, at least
    mode: Literal["L"] | None = None
    keeps_profile: bool = False


NO_DRAFT = Draft()


@dataclass(frozen=True)
class Decoded:
    """An image in L, LA, RGB or RGBA, and where in it the picture lies."""

    image: Image.Image
    extent: Extent
    profile: bytes = b""  # what the numbers mean, unless that is sRGB


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Inspected:
    """What the header says. Raises ImageUnreadable, ImageTooBig and UnsupportedFormat."""
    if header := read_jxl(data, limits):
        width, height = header.size
        return Inspected(
            format=Format.JXL,
            media_type=Format.JXL.spec.media_type,
            mode=header.mode,
            width=width,
            height=height,
        )
    return describe(open_source(data, limits))


def describe(source: Source) -> Inspected:
    """What the header says."""
    width, height = source.size
    return Inspected(
        format=source.format,
        media_type=source.media_type,
        mode=source.image.mode,
        width=width,
        height=height,
        frames=source.moving,
        orientation=source.orientation,
    )


def decode(source: Source, draft: Draft = NO_DRAFT) -> Decoded:
    """The first frame, upright. Raises ImageUnreadable and ImageTooBig."""
    image = source.image
    with translate_decode_errors():
        if source.gif_canvas:
            return Decoded(source.gif_canvas.frame(0), Extent.whole(source.size))
        drafted = image.draft(
            draft.mode,
            _as_stored(draft.size, source.orientation) if draft.size else None,
        )
        image.load()
        stored = image.size
        upright, profile = _upright(source, keeps_profile=draft.keeps_profile)
    if drafted is None:
        return Decoded(upright, Extent.whole(upright.size), profile)
    box = _upright_box(drafted[1], stored, source.orientation)
    return Decoded(upright, Extent(source.size, box), profile)


def decode_frame(source: Source, number: int, *, keeps_profile: bool = False) -> Frame:
    """A frame of an animation as it is seen, with all that the ones before have left.

    Raises ImageUnreadable and ImageTooBig.
    """
    with translate_decode_errors():
        if source.gif_canvas:
            duration = min(source.gif_canvas.duration(number), _LONGEST_FRAME)
            return Frame(source.gif_canvas.frame(number), duration)
        source.image.seek(number)
        # Pillow enlarges a GIF for a frame that lies outside of it, and nobody has judged that.
        if source.image.size != _as_stored(source.size, source.orientation):
            raise ImageUnreadable(f"Frame {number + 1} is larger than the image.")
        source.image.load()
        upright, profile = _upright(source, keeps_profile=keeps_profile)
        duration = source.image.info.get("duration") or 0
        return Frame(upright, min(max(0, round(duration)), _LONGEST_FRAME), profile)


def _upright(source: Source, *, keeps_profile: bool) -> tuple[Image.Image, bytes]:
    image = source.image
    profile = image.info.get("icc_profile") or b""
    stored = with_transparency(image, source.data) if source.format is Format.PNG else image
    if keeps_profile:
        plain, profile = keep_colours(stored, profile)
    else:
        plain, profile = to_srgb(stored, profile), b""
    # Pillow has turned a TIFF already.
    turn = None if source.format is Format.TIFF else _UPRIGHT.get(source.orientation)
    upright = plain if turn is None else plain.transpose(turn)
    if upright is image:
        upright = _forgetting(image)
    upright.info = {}
    return upright, profile


def _forgetting(image: ImageFile.ImageFile) -> Image.Image:
    """The pixels alone: an encoder would write what an opened file still knows of its metadata."""
    if getattr(image, "is_animated", False):
        # Decoding the next frame draws on these.
        return image.copy()
    # What copy() does, but for the pixels: a tenth of a second for a photograph.
    return image._new(image.im)


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

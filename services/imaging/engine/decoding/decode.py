"""Decode a source to upright pixels, in sRGB or in the source's own colour profile."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageFile

from contracts.formats import Format
from contracts.imaging import Inspected
from contracts.operations.sizes import Box, Size
from services.imaging.engine.decoding.source import Source, open_source, read_jxl
from services.imaging.engine.formats.png_transparency import with_transparency
from services.imaging.engine.raster.animation import Frame
from services.imaging.engine.raster.geometry import Extent
from services.imaging.engine.raster.profiles import keep_colours, to_srgb
from services.imaging.engine.safety.decode_errors import translate_decode_errors
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

_MAX_DURATION = 655_350  # milliseconds a frame: the most that a GIF stores

# The transpose that turns an image of each EXIF orientation upright.
_TRANSPOSES = {
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
    """The least that a decoder has to give, so that a JPEG may be decoded at a smaller scale.

    Colours become sRGB unless `keeps_profile` is set.
    """

    size: Size | None = None  # the minimum, upright; None for every pixel
    mode: Literal["L"] | None = None  # luma suffices
    keeps_profile: bool = False


EVERY_PIXEL = Draft()


@dataclass(frozen=True)
class Decoded:
    """A decoded image in mode L, LA, RGB or RGBA."""

    image: Image.Image
    extent: Extent  # where the whole picture lies in `image`, which may be a draft
    profile: bytes = b""  # the ICC profile; empty for sRGB


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Inspected:
    """Return what a file's header says. Raises ImageUnreadable, ImageTooBig, UnsupportedFormat."""
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
    """Return what a source's header says."""
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


def decode(source: Source, draft: Draft = EVERY_PIXEL) -> Decoded:
    """Decode the first frame, upright. Raises ImageUnreadable and ImageTooBig."""
    if source.canvas and source.format is Format.GIF:
        return Decoded(source.canvas.frame(0), Extent.whole(source.size))
    image = source.image
    least = _as_stored(draft.size, source.orientation) if draft.size else None
    with translate_decode_errors():
        drafted = image.draft(draft.mode, least)
        image.load()
    stored_size = image.size
    stored = with_transparency(image, source.data) if source.format is Format.PNG else image
    upright, profile = _upright(source, stored, keeps_profile=draft.keeps_profile)
    if drafted is None:
        return Decoded(upright, Extent.whole(upright.size), profile)
    box = _upright_box(drafted[1], stored_size, source.orientation)
    return Decoded(upright, Extent(source.size, box), profile)


def decode_frame(source: Source, number: int, *, keeps_profile: bool = False) -> Frame:
    """Decode a frame of an animation, composed with the frames before it, upright.

    Raises ImageUnreadable and ImageTooBig.
    """
    stored: Image.Image
    if source.canvas:
        stored, duration = source.canvas.frame(number), source.canvas.duration(number)
    else:
        stored = source.image
        with translate_decode_errors():
            stored.seek(number)
            stored.load()
        duration = round(stored.info.get("duration") or 0)
    upright, profile = _upright(source, stored, keeps_profile=keeps_profile)
    return Frame(upright, min(max(0, duration), _MAX_DURATION), profile)


def _upright(
    source: Source, stored: Image.Image, *, keeps_profile: bool
) -> tuple[Image.Image, bytes]:
    """Return the decoded pixels upright and without metadata, and their ICC profile unless sRGB."""
    image = source.image
    if keeps_profile:
        converted, profile = keep_colours(stored, source.colours)
    else:
        converted, profile = to_srgb(stored, source.colours), b""
    turn = _TRANSPOSES.get(source.orientation)
    upright = converted if turn is None else converted.transpose(turn)
    if upright is image:
        upright = _without_metadata(image)
    upright.info = {}
    return upright, profile


def _without_metadata(image: ImageFile.ImageFile) -> Image.Image:
    """Return an opened file's pixels as a plain image: an encoder would write its metadata."""
    if getattr(image, "is_animated", False):
        # Pillow decodes the next frame into these pixels.
        return image.copy()
    # As copy() without copying the pixels, which takes 0.1 s for a photograph.
    return image._new(image.im)


def _as_stored(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if orientation >= 5 else size


def _upright_box(box: Box, stored: Size, orientation: int) -> Box:
    """Return where the picture lies in a draft that is turned upright.

    `box` is where the picture lies in the draft of size `stored`, from its upper left corner. The
    margin at the right and at the bottom may move to the left or the top.
    """
    width, height = box[2], box[3]
    right_margin, lower_margin = stored[0] - width, stored[1] - height
    if orientation >= 5:
        width, height = height, width
        right_margin, lower_margin = lower_margin, right_margin
    left = right_margin if orientation in (2, 3, 6, 7) else 0
    upper = lower_margin if orientation in (3, 4, 7, 8) else 0
    return left, upper, left + width, upper + height

"""What a picture is: its header, its notes, and what one decode at a small scale shows."""

import io

from PIL import Image, ImageCms

from contracts.details import Details
from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.formats import Format
from contracts.imaging import Inspected
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.decode import Draft
from services.imaging.engine.decoding.source import Source, open_source
from services.imaging.engine.inspection.hashes import dhash, thumbhash
from services.imaging.engine.metadata import exif
from services.imaging.engine.raster.alpha import drop_alpha, has_alpha
from services.imaging.engine.raster.geometry import Size, round_half_up
from services.imaging.engine.raster.resample import resample
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

_SIDE = 64  # pixels; a ThumbHash is made of 100 at most
_COLOURS = 8
_WATCHED_PIXELS = 50_000_000  # of an animation, to add up its durations


def inspect_pixels(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, place: bool = False
) -> Inspected:
    """What the header and the pixels say, and where it was taken, if that is asked for.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    source = open_source(data, limits)
    header = decode.describe(source)
    # Decoding forgets them.
    shot = exif.read_shot(source.image)
    where = exif.read_place(source.image) if place else None
    profile = _profile_name(source.image)
    small = _small(source)
    palette = _palette(small)
    details = Details(
        duration=_duration(source),
        profile=profile,
        shot=shot,
        place=where,
        dominant=palette[0],
        palette=palette,
        thumbhash=thumbhash(small),
        dhash=dhash(small),
    )
    return header.model_copy(update={"details": details})


def _small(source: Source) -> Image.Image:
    size = _fitting(source.size)
    decoded = decode.decode(source, Draft(size=(size[0] * 2, size[1] * 2)))
    return resample(decoded.image, size, decoded.extent.box)


def _fitting(size: Size) -> Size:
    scale = min(1.0, _SIDE / max(size))
    return max(1, round_half_up(size[0] * scale)), max(1, round_half_up(size[1] * scale))


def _palette(image: Image.Image) -> tuple[str, ...]:
    table = drop_alpha(image).convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    seen = image.getchannel("A").point([0] * 128 + [255] * 128) if has_alpha(image) else None
    counts = table.histogram(seen)
    colours = table.getpalette() or []
    ranked = sorted(
        (index for index in range(len(colours) // 3) if counts[index]),
        key=lambda index: -counts[index],
    )
    found = (bytes(colours[3 * index : 3 * index + 3]).hex() for index in ranked)
    # What is transparent throughout is as white as it looks on most pages.
    return tuple(dict.fromkeys(f"#{colour}" for colour in found)) or ("#ffffff",)


def _profile_name(image: Image.Image) -> str | None:
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return exif.text(ImageCms.getProfileDescription(profile))
    except (ImageCms.PyCMSError, *DECODE_ERRORS):
        return None


def _duration(source: Source) -> int | None:
    if source.moving == 1 or source.format is Format.TIFF:
        return 0
    if source.frames * source.size[0] * source.size[1] > _WATCHED_PIXELS:
        return None
    try:
        numbers = range(source.start, source.frames)
        return sum(decode.decode_frame(source, number).duration for number in numbers)
    except (ImageUnreadable, ImageTooBig):
        # What is wrong with a later frame is no reason to be silent about the first.
        return None

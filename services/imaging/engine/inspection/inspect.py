"""Inspect an image file: its header, its metadata, and its pixels decoded at a small size."""

import io

from PIL import Image, ImageCms

from contracts.details import Details
from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.formats import Format
from contracts.imaging import Inspected
from contracts.operations.sizes import Size, round_half_up
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.decode import Draft
from services.imaging.engine.decoding.source import Source, open_source
from services.imaging.engine.inspection.hashes import dhash, thumbhash
from services.imaging.engine.metadata.exif import printable_text, read_place, read_shot
from services.imaging.engine.raster.alpha import drop_alpha, has_alpha
from services.imaging.engine.raster.colours import Colours, Space
from services.imaging.engine.raster.hdr import Hdr
from services.imaging.engine.raster.resample import resample
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

_SIDE = 64  # pixels of the small image; a ThumbHash takes 100 at most
_COLOURS = 8
_OPAQUE_FROM = 128  # alpha; colours of other pixels are not counted
_MAX_DURATION_PIXELS = 50_000_000  # of an animation whose frames are read to add their durations


def inspect_pixels(
    data: bytes, limits: Limits = DEFAULT_LIMITS, *, place: bool = False
) -> Inspected:
    """Describe the header and the pixels; `place` adds where the photograph was taken.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    source = open_source(data, limits)
    header = decode.describe(source)
    # Before decoding, which drops the metadata.
    shot = read_shot(source.image)
    taken_at = read_place(source.image) if place else None
    small = _small_image(source)
    palette = _palette(small)
    details = Details(
        duration=_duration(source),
        profile=_profile_name(source.colours),
        shot=shot,
        place=taken_at,
        dominant=palette[0],
        palette=palette,
        thumbhash=thumbhash(small),
        dhash=dhash(small),
    )
    return header.model_copy(update={"details": details})


def _small_image(source: Source) -> Image.Image:
    size = _small_size(source.size)
    decoded = decode.decode(source, Draft(size=(size[0] * 2, size[1] * 2)))
    return resample(decoded.image, size, decoded.extent.box)


def _small_size(size: Size) -> Size:
    scale = min(1.0, _SIDE / max(size))
    return max(1, round_half_up(size[0] * scale)), max(1, round_half_up(size[1] * scale))


def _palette(image: Image.Image) -> tuple[str, ...]:
    """Up to eight colours as #rrggbb, the most frequent first."""
    quantized = (
        drop_alpha(image).convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
    )
    mask = None
    if has_alpha(image):
        opaque = [0] * _OPAQUE_FROM + [255] * (256 - _OPAQUE_FROM)
        mask = image.getchannel("A").point(opaque)
    counts = quantized.histogram(mask)
    samples = quantized.getpalette() or []
    ranked = sorted(
        (index for index in range(len(samples) // 3) if counts[index]),
        key=lambda index: -counts[index],
    )
    found = (bytes(samples[3 * index : 3 * index + 3]).hex() for index in ranked)
    # An image without opaque pixels counts as white, as it looks on most pages.
    return tuple(dict.fromkeys(f"#{colour}" for colour in found)) or ("#ffffff",)


def _profile_name(colours: Colours) -> str | None:
    match colours:
        case Hdr(name) | Space(name, profile=b""):
            return name
        case Space(profile=data) | data:
            pass
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return printable_text(ImageCms.getProfileDescription(profile))
    except (ImageCms.PyCMSError, *DECODE_ERRORS):
        return None


def _duration(source: Source) -> int | None:
    """Milliseconds of an animation; 0 for a still, None if it is too long to read or broken."""
    if source.frames == 1 or source.format is Format.TIFF:
        return 0
    if source.frames * source.size[0] * source.size[1] > _MAX_DURATION_PIXELS:
        return None
    try:
        return sum(decode.decode_frame(source, number).duration for number in range(source.frames))
    except (ImageUnreadable, ImageTooBig):
        # The first frame is good: describe it, whatever is wrong with a later one.
        return None

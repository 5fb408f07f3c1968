"""Open a source: read its header and check the header, before any pixel is decoded."""

import io
import math
import re
from dataclasses import dataclass

from PIL import Image, ImageFile

from contracts.errors import UnsupportedFormat
from contracts.formats import Format, format_of_bytes
from contracts.operations.sizes import Size
from services.imaging.engine.decoding.colours import colours_of
from services.imaging.engine.formats import jxl, pillow, plugins, webp_alpha
from services.imaging.engine.formats.avif import frames as avif_frames
from services.imaging.engine.formats.avif import loops as avif_loops
from services.imaging.engine.formats.frame_canvas import FrameCanvas
from services.imaging.engine.formats.gif import frames as gif_frames
from services.imaging.engine.formats.jpeg import Jpeg
from services.imaging.engine.formats.png import apng_frames
from services.imaging.engine.formats.tiff.image import Tiff
from services.imaging.engine.formats.webp import WebP
from services.imaging.engine.raster.colours import SRGB, Colours, profile_of
from services.imaging.engine.safety import container_checks, frame_count, tiff_tags
from services.imaging.engine.safety.decode_errors import translate_decode_errors
from services.imaging.engine.safety.limits import Limits

# Image formats that are recognised only to be refused by name.
_OTHER_FORMATS = re.compile(
    rb"BM.{12}[\x0c-\x7c]\0\0\0"  # BMP, by the size of its second header as well
    rb"|\0\0\0\x0cjP  |\xff\x4f\xff\x51"  # JPEG 2000
    rb"|\0\0[\1\2]\0[\1-\x20]\0"  # ICO, CUR
    rb"|8BPS|qoif|DDS |icns|%!PS|%PDF-|P[1-7]\s"
    rb"|(?:\xef\xbb\xbf)?\s{0,8}(?:<\?xml.{0,400}?)?<svg",
    re.DOTALL,
)

# Pillow 13.0 takes it for a TIFF with offsets of 32 bits.
_BIG_ENDIAN_BIGTIFF = b"MM\0+"

_GRAY_MODES = ("1", "L", "LA", "I", "I;16")


@dataclass(frozen=True)
class Source:
    """An image whose header has passed the checks; no pixel is decoded yet, except of a JPEG XL."""

    image: ImageFile.ImageFile
    data: bytes  # the file, cleaned
    format: Format
    size: Size  # upright
    frames: int  # of the animation, or pages of a TIFF; 1 for a still
    orientation: int  # 1 to 8, as in EXIF
    colours: Colours = SRGB
    plays: int = 0  # loop count of an animation; 0 for ever
    canvas: FrameCanvas | None = None  # composes the frames of a PNG or a GIF
    deep_samples: int = 0  # of a TIFF that Pillow has no mode for

    @property
    def profile(self) -> bytes:
        """The ICC profile of the samples; empty for sRGB and for HDR, which no profile describes.

        The profile of a file that tells its colours by numbers is made.
        """
        return profile_of(self.colours, gray=self.image.mode in _GRAY_MODES)

    @property
    def media_type(self) -> str:
        """The media type, as in Content-Type."""
        return self.format.spec.media_type


def open_source(data: bytes, limits: Limits) -> Source:
    """Read and check the header of a file; its format is recognised by its bytes.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    pillow.configure()
    announced = _announced_format(data)
    # The next three come before `_open`: Pillow decodes a JPEG XL, and walks the chunks or first
    # blocks of other files.
    if announced is Format.JXL:
        _read_jxl(data, limits)
    frames = frame_count.count_frames(data, limits.frames)
    data = container_checks.clean(data)
    if announced is Format.WEBP:
        data = webp_alpha.with_alpha_flag(data)
    with translate_decode_errors():
        image = _open(data, announced)
    source = _source(image, data, frames)
    limits.check_source(*source.size, source.frames)
    limits.check_file(source.format, image.mode, math.prod(source.size), len(data))
    limits.check_samples(source.deep_samples, len(data))
    if isinstance(image, Jpeg):
        container_checks.check_scans(image.segments, math.prod(source.size))
    elif source.format is Format.AVIF:
        avif_frames.check_frames(data, image.size)
    return source


def _open(data: bytes, announced: Format | None) -> ImageFile.ImageFile:
    match announced:
        case Format.JPEG:
            return Jpeg.of(data)
        case Format.TIFF:
            return Tiff.of(data)
        case Format.WEBP:
            return WebP.of(data)
        case _:
            return Image.open(io.BytesIO(data), formats=plugins.PILLOW_NAMES)


def read_jxl(data: bytes, limits: Limits) -> jxl.Header | None:
    """Read and check the header of a JPEG XL, without Pillow; return None for other formats.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    if not Format.JXL.spec.matches(data):
        return None
    _announced_format(data)
    return _read_jxl(data, limits)


def _read_jxl(data: bytes, limits: Limits) -> jxl.Header:
    header = jxl.header(data)
    limits.check_source(*header.size, frames=1)
    limits.check_file(Format.JXL, header.mode, math.prod(header.size), len(data))
    return header


def _announced_format(data: bytes) -> Format | None:
    """Return the format that the first bytes announce; None for bytes of no known format.

    Raises UnsupportedFormat for a format that is known and not read.
    """
    if format := format_of_bytes(data):
        if missing := plugins.missing(format):
            raise UnsupportedFormat(missing)
        if data.startswith(_BIG_ENDIAN_BIGTIFF):
            raise UnsupportedFormat(
                "The file is a BigTIFF in big-endian byte order; send it in little-endian order."
            )
    elif _OTHER_FORMATS.match(data):
        known = ", ".join(format.spec.title for format in plugins.INSTALLED)
        raise UnsupportedFormat(f"Send an image in one of these formats: {known}.")
    return format


def _source(image: ImageFile.ImageFile, data: bytes, frames: int | None) -> Source:
    """Return an opened file as a source; `frames` is the number of frames, if it was counted."""
    format = Format(str(image.format).lower())
    orientation = _orientation(image, format, data)
    canvas = _canvas(image, data, format, frames)
    return Source(
        image=image,
        data=data,
        format=format,
        size=(image.height, image.width) if orientation >= 5 else image.size,
        frames=len(canvas) if canvas else _frames(image, format, frames),
        orientation=orientation,
        colours=colours_of(image, format, data),
        deep_samples=image.deep_samples if isinstance(image, Tiff) else 0,
        plays=canvas.plays if canvas else _plays(image, format, data),
        canvas=canvas,
    )


def _canvas(
    image: ImageFile.ImageFile, data: bytes, format: Format, frames: int | None
) -> FrameCanvas | None:
    if format is Format.PNG:
        return apng_frames.canvas_for(data)
    if format is Format.GIF:
        return gif_frames.canvas_for(data, image.size, frames or 1)
    return None


def _frames(image: ImageFile.ImageFile, format: Format, counted: int | None) -> int:
    # Further images in a JPEG or a HEIF are not frames of an animation.
    if format in (Format.JPEG, Format.HEIF, Format.PNG, Format.GIF):
        return 1
    with translate_decode_errors():
        return counted or int(getattr(image, "n_frames", 1))


def _plays(image: ImageFile.ImageFile, format: Format, data: bytes) -> int:
    if format is Format.AVIF:
        return avif_loops.loop_count(data)
    loop = image.info.get("loop")
    return loop if isinstance(loop, int) else 0


def _orientation(image: ImageFile.ImageFile, format: Format, data: bytes) -> int:
    """Return the orientation in EXIF; browsers ignore those in XMP and in texts of a PNG."""
    if format is Format.JXL:
        # The decoder applies the orientation of the codestream.
        return 1
    exif = data if format is Format.TIFF else image.info.get("exif")
    return tiff_tags.orientation(exif or b"")

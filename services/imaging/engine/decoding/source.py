"""Open a source: read its header and check the header, before any pixel is decoded."""

import io
import math
import re
from dataclasses import dataclass, replace

from PIL import Image, ImageFile

from contracts.errors import UnsupportedFormat
from contracts.formats import Format, format_of_bytes
from services.imaging.engine.decoding.colours import colours_of
from services.imaging.engine.formats import avif, jxl, pillow, plugins
from services.imaging.engine.formats.gif_canvas import GifCanvas, canvas_for
from services.imaging.engine.formats.tiff import Tiff
from services.imaging.engine.raster.colours import SRGB, Colours, profile_of
from services.imaging.engine.raster.geometry import Size
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

_GRAY_MODES = ("1", "L", "LA", "I", "I;16")


@dataclass(frozen=True)
class Source:
    """An image whose header has passed the checks; no pixel is decoded yet, except of a JPEG XL."""

    image: ImageFile.ImageFile
    data: bytes  # the file, cleaned
    format: Format
    size: Size  # upright
    frames: int  # in the file, with those before `first_frame`
    orientation: int  # 1 to 8, as in EXIF
    colours: Colours = SRGB
    plays: int = 0  # loop count of an animation; 0 for ever
    gif_canvas: GifCanvas | None = None  # for a GIF that Pillow decodes wrongly

    @property
    def first_frame(self) -> int:
        """The number of the animation's first frame: 1 in a PNG whose default image is no frame."""
        return 1 if self.image.info.get("default_image") else 0

    @property
    def animation_frames(self) -> int:
        """The number of frames of the animation; 1 for a still."""
        return self.frames - self.first_frame

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
    _check_format(data)
    # The next three come before `Image.open`, which decodes a JPEG XL and walks the segments,
    # chunks or first blocks of other files.
    read_jxl(data, limits)
    frames = frame_count.count_frames(data, limits.frames)
    data = container_checks.clean(data)
    with translate_decode_errors():
        image = (
            Tiff.of(data)
            if Format.TIFF.spec.matches(data)
            else Image.open(io.BytesIO(data), formats=plugins.PILLOW_NAMES)
        )
    source = _source(image, data, frames)
    limits.check_source(*source.size, source.frames)
    limits.check_file(source.format, image.mode, math.prod(source.size), len(data))
    if isinstance(image, Tiff):
        limits.check_samples(image.deep_samples, len(data))
    if source.format is Format.JPEG:
        container_checks.check_scans(data, math.prod(source.size))
    if source.format is Format.GIF:
        # After the check of the number of frames, as this walks all of them.
        return replace(source, gif_canvas=canvas_for(data, image))
    return source


def read_jxl(data: bytes, limits: Limits) -> jxl.Header | None:
    """Read and check the header of a JPEG XL, without Pillow; return None for other formats.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    if not Format.JXL.spec.matches(data):
        return None
    _check_format(data)
    header = jxl.header(data)
    limits.check_source(*header.size, frames=1)
    limits.check_file(Format.JXL, header.mode, math.prod(header.size), len(data))
    return header


def _check_format(data: bytes) -> None:
    """Raise UnsupportedFormat for a format that is known and not read; pass unknown bytes."""
    if format := format_of_bytes(data):
        if missing := plugins.missing(format):
            raise UnsupportedFormat(missing)
    elif _OTHER_FORMATS.match(data):
        known = ", ".join(format.spec.title for format in plugins.INSTALLED)
        raise UnsupportedFormat(f"Send an image in one of these formats: {known}.")


def _source(image: ImageFile.ImageFile, data: bytes, frames: int | None) -> Source:
    """Return an opened file as a source; `frames` is the number of frames, if it was counted."""
    # An MPO is a JPEG followed by other images, as some cameras write them.
    is_mpo = image.format == "MPO"
    format = Format.JPEG if is_mpo else Format(str(image.format).lower())
    orientation = _orientation(image, format, data)
    return Source(
        image=image,
        data=data,
        format=format,
        size=(image.height, image.width) if orientation >= 5 else image.size,
        # Further images in a JPEG or a HEIF are not frames of an animation.
        frames=1 if format in (Format.JPEG, Format.HEIF) else frames or _frames(image),
        orientation=orientation,
        colours=colours_of(image, format, data),
        plays=_plays(image, format, data),
    )


def _frames(image: ImageFile.ImageFile) -> int:
    with translate_decode_errors():
        return int(getattr(image, "n_frames", 1))


def _plays(image: ImageFile.ImageFile, format: Format, data: bytes) -> int:
    if format is Format.AVIF:
        return avif.loop_count(data)
    loop = image.info.get("loop")
    if format is not Format.GIF:
        return loop if isinstance(loop, int) else 0
    # A GIF counts repetitions, 0 for ever; a GIF without a count is played once.
    if loop is None:
        return 1
    return loop + 1 if loop else 0


def _orientation(image: ImageFile.ImageFile, format: Format, data: bytes) -> int:
    """Return the orientation in EXIF; browsers ignore those in XMP and in texts of a PNG."""
    if format is Format.JXL:
        # The decoder applies the orientation of the codestream.
        return 1
    exif = data if format is Format.TIFF else image.info.get("exif")
    return tiff_tags.orientation(exif or b"")

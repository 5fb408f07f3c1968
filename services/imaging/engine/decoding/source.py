"""A source: what a file says that it is, read and judged before any of its pixels is decoded."""

import io
import math
import re
from dataclasses import dataclass, replace

from PIL import ExifTags, Image, ImageFile

from contracts.errors import UnsupportedFormat
from contracts.formats import Format
from services.imaging.engine.formats import avif, jxl, plugins
from services.imaging.engine.formats.gif_canvas import GifCanvas, canvas_for
from services.imaging.engine.raster.geometry import Size
from services.imaging.engine.safety import container_checks, frame_count, pillow
from services.imaging.engine.safety.decode_errors import (
    DECODE_ERRORS,
    translate_decode_errors,
)
from services.imaging.engine.safety.limits import Limits

_OTHER_IMAGES = re.compile(
    rb"BM.{12}[\x0c-\x7c]\0\0\0"  # BMP, by the size of its second header as well
    rb"|\0\0\0\x0cjP  |\xff\x4f\xff\x51"  # JPEG 2000
    rb"|\0\0[\1\2]\0[\1-\x20]\0"  # ICO, CUR
    rb"|8BPS|qoif|DDS |icns|%!PS|%PDF-|P[1-7]\s"
    rb"|(?:\xef\xbb\xbf)?\s{0,8}(?:<\?xml.{0,400}?)?<svg",
    re.DOTALL,
)

_XMP = ("xmp", "XML:com.adobe.xmp")  # as Pillow names it


@dataclass(frozen=True)
class Source:
    """An image whose header has been read and judged; none of its pixels is decoded yet."""

    image: ImageFile.ImageFile
    data: bytes  # the file
    format: Format
    size: Size  # upright
    frames: int
    orientation: int
    plays: int = 0  # how often an animation is played; 0 is for ever
    gif_canvas: GifCanvas | None = None  # where Pillow would show a GIF as it is not

    @property
    def start(self) -> int:
        """The frame that an animation starts with: what a PNG shows where nothing moves is none."""
        # A text of a PNG may have the same name.
        return 1 if self.image.info.get("default_image") is True else 0

    @property
    def moving(self) -> int:
        """How many frames an animation has; 1 for a still."""
        return self.frames - self.start

    @property
    def media_type(self) -> str:
        """As in Content-Type."""
        return self.format.spec.media_type


def open_source(data: bytes, limits: Limits) -> Source:
    """Read and judge the header; the format is what the bytes say it is.

    Raises ImageUnreadable, ImageTooBig and UnsupportedFormat.
    """
    pillow.configure()
    _check_format(data)
    # Before Pillow opens it: pillow-jxl-plugin decodes every pixel to do so.
    read_jxl(data, limits)
    # Before Pillow opens it: a GIF is walked up to its first frame to do so.
    counted = frame_count.count_frames(data, limits.frames)
    container_checks.check_container(data)
    with translate_decode_errors():
        image = Image.open(io.BytesIO(data), formats=plugins.PILLOW_NAMES)
        source = _source(image, data, counted)
    limits.check_source(*source.size, source.frames)
    limits.check_file(source.format, image.mode, math.prod(source.size), len(data))
    if source.format is Format.JPEG:
        container_checks.check_scans(data, math.prod(source.size))
    if source.format is Format.GIF:
        # Not before its frames are known to be few enough to go through.
        with translate_decode_errors():
            return replace(source, gif_canvas=canvas_for(data, image))
    return source


def read_jxl(data: bytes, limits: Limits) -> jxl.Header | None:
    """Read and judge a JPEG XL's header, and decode nothing; None for all other formats.

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
    for format in Format:
        if format.spec.matches(data):
            if missing := plugins.missing(format):
                raise UnsupportedFormat(missing)
            return
    if _OTHER_IMAGES.match(data):
        known = ", ".join(format.spec.title for format in plugins.INSTALLED)
        raise UnsupportedFormat(f"Send an image in one of these formats: {known}.")


def _source(image: ImageFile.ImageFile, data: bytes, counted: int | None) -> Source:
    # A JPEG with others behind it, as cameras write them, is still one picture.
    name = "JPEG" if image.format == "MPO" else str(image.format)
    # A JPEG XL says in its own words how it lies, and has been turned.
    orientation = 1 if name == "JXL" else _orientation(image)
    # Pillow turns a TIFF by itself, its size included.
    lies_down = orientation >= 5 and name != "TIFF"
    return Source(
        image=image,
        data=data,
        format=Format(name.lower()),
        size=(image.height, image.width) if lies_down else image.size,
        # What is behind a phone's picture in its file is no animation either.
        frames=1 if name in ("JPEG", "HEIF") else counted or int(getattr(image, "n_frames", 1)),
        orientation=orientation,
        plays=_plays(image, data),
    )


def _plays(image: ImageFile.ImageFile, data: bytes) -> int:
    if image.format == "AVIF":
        return avif.loop_count(data)
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop if isinstance(loop, int) else 0
    # A GIF says how often it is repeated, and nothing where it is played once.
    if loop is None:
        return 1
    return loop + 1 if loop else 0


def _orientation(image: Image.Image) -> int:
    try:
        tag = _exif(image).get(ExifTags.Base.Orientation)
    except DECODE_ERRORS:
        # Broken EXIF is no reason to refuse pixels: browsers show such an image as it is stored.
        return 1
    return tag if isinstance(tag, int) and 1 <= tag <= 8 else 1


def _exif(image: Image.Image) -> Image.Exif:
    """What EXIF says; where it says nothing Pillow would go by XMP, as browsers do not."""
    if data := image.info.get("exif"):
        exif = Image.Exif()
        exif.load(data)
        return exif
    told = image.info
    image.info = {name: what for name, what in told.items() if name not in _XMP}
    try:
        # A PNG's own getexif() decodes the image, to look for EXIF behind the pixels.
        return Image.Image.getexif(image)
    finally:
        image.info = told

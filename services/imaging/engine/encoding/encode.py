"""Encode an image or an animation as one file, with a function for each format."""

import io
from dataclasses import dataclass, replace
from typing import Any, assert_never

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.formats import Format
from contracts.outputs import Chroma
from services.imaging.engine.encoding.quantize import paletted
from services.imaging.engine.formats import pillow, plugins, webp_alpha
from services.imaging.engine.formats.avif import loops as avif_loops
from services.imaging.engine.formats.gif import writer as gif_writer
from services.imaging.engine.formats.gif.writer import DurationRounder
from services.imaging.engine.formats.png import apng
from services.imaging.engine.formats.png import file as png_file
from services.imaging.engine.formats.png import pixels as png_pixels
from services.imaging.engine.metadata.policy import (
    EXIF_DIRECTORIES,
    NO_METADATA,
    KeptMetadata,
    load_exif,
)
from services.imaging.engine.raster.alpha import flatten_on_white, has_alpha
from services.imaging.engine.raster.animation import Animation, Frame
from services.imaging.engine.raster.memory import check_memory

# Memory of the AVIF encoder, measured with Pillow 13.0: 29 bytes a pixel for 64 megapixels, 33 with
# alpha.
_AVIF_BYTES, _AVIF_ALPHA_BYTES, _AVIF_SMALL_BYTES = 30, 4, 32 << 20


class ResultTooBig(ImageTooBig):
    """A file has more bytes than a result may have."""


@dataclass(frozen=True)
class Encoding:
    """Every setting of an encoder except its quality."""

    format: Format
    lossless: bool = False
    progressive: bool = False
    chroma: Chroma | None = None  # None: the encoder's default
    palette: int | None = None  # at most this many colours
    metadata: KeptMetadata = NO_METADATA
    profile: bytes = b""  # ICC; empty for sRGB
    limit: int | None = None  # bytes of the file


def encode(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    """Return an image, or an `Animation`, as a file. `quality` is 1 to 100, where a format has one.

    Raises ImageTooBig if the format cannot hold the image's size, ResultTooBig for a file beyond
    the limit, and InvalidOperation if the format's plugin is not installed.
    """
    data = _encode(image, encoding, quality)
    _check_size(len(data), encoding.limit)
    return data


def _encode(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    pillow.configure()
    # Not UnsupportedFormat, which blames the source.
    if missing := plugins.missing(encoding.format):
        raise InvalidOperation(f"format: {missing}")
    spec = encoding.format.spec
    if spec.max_side and max(image.size) > spec.max_side:
        raise ImageTooBig(f"A {spec.title} has at most {spec.max_side:,} pixels a side.")
    if not spec.alpha:
        image = flatten_on_white(image)
    match encoding.format:
        case Format.JPEG:
            return _jpeg(image, encoding, quality)
        case Format.PNG:
            return _png(image, encoding)
        case Format.WEBP:
            return _webp(image, encoding, quality)
        case Format.AVIF:
            return _avif(image, encoding, quality)
        case Format.GIF:
            return _gif(image, encoding)
        case Format.TIFF:
            return _tiff(image, encoding)
        case Format.JXL:
            return _jxl(image, encoding, quality)
        case Format.HEIF:
            return _heif(image, encoding, quality)
        case _:
            assert_never(encoding.format)


def _jpeg(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    options: dict[str, Any] = {"progressive": True} if encoding.progressive else {}
    if encoding.chroma and image.mode != "L":
        options["subsampling"] = ":".join(encoding.chroma)
    return _save(image, encoding, quality=quality, **options)


def _png(image: Image.Image, encoding: Encoding) -> bytes:
    options: dict[str, Any] = {}
    if isinstance(image, Animation):
        return _apng(image, encoding)
    if encoding.palette:
        image = paletted(image, encoding.palette, translucent=True)
    if encoding.metadata.xmp:
        options["pnginfo"] = PngInfo()
        text = encoding.metadata.xmp.decode(errors="replace")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", text)
    if png_pixels.supports(image):
        # Pillow writes every chunk but the pixels.
        frame = _save(Image.new(image.mode, (1, 1)), encoding, **options)
        return png_file.with_pixels(frame, image.size, png_pixels.compress(image))
    # Level 6, the default, takes three times as long and saves 4 percent.
    return _save(image, encoding, compress_level=3, **options)


def _apng(animation: Animation, encoding: Encoding) -> bytes:
    colours, mode = encoding.palette, animation.mode
    if colours:
        # APNG frames share one palette, so store true colour; fewer colours still compress better.
        animation = animation.map_frames(
            lambda frame: Frame(
                paletted(frame.image, colours, translucent=True).convert(mode), frame.duration
            )
        )
    still = replace(encoding, palette=None)
    return apng.encode_animation(animation, lambda frame: _png(frame, still))


def _webp(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    # Method 4, the default, takes twice as long and saves 4 percent.
    options: dict[str, Any] = {"quality": quality, "method": 2}
    if encoding.lossless:
        # For a lossless WebP, quality is the effort; `exact` keeps the colours of transparent
        # pixels.
        options |= {"lossless": True, "quality": 60, "exact": True}
    if not isinstance(image, Animation):
        return _save(image, encoding, **options)
    return webp_alpha.with_alpha_flag(_save(image, encoding, loop=image.plays, **options))


def _avif(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    options = {"subsampling": ":".join(encoding.chroma)} if encoding.chroma else {}
    if isinstance(image, Animation):
        # Seen in Chromium 156: it shows animations of the full range as if theirs was limited.
        options["range"] = "limited"
    # Without memory, the encoder fails without a reason, or writes past its end.
    per_pixel = _AVIF_BYTES + (_AVIF_ALPHA_BYTES if has_alpha(image) else 0)
    check_memory(image.width * image.height * per_pixel + _AVIF_SMALL_BYTES)
    # One thread: the bytes depend on the number of threads, and a pool process has one core.
    data = _save(image, encoding, quality=quality, speed=8, max_threads=1, **options)
    return avif_loops.finished(data, image.plays) if isinstance(image, Animation) else data


def _gif(image: Image.Image, encoding: Encoding) -> bytes:
    colours = encoding.palette or 256
    if not isinstance(image, Animation):
        return _save(paletted(image, colours), encoding)
    if has_alpha(image):
        return gif_writer.encode_transparent(
            image, lambda frame: _save(paletted(frame, colours), encoding, interlace=0)
        )
    rounder = DurationRounder()
    animation = image.map_frames(
        lambda frame: Frame(paletted(frame.image, colours), rounder.rounded(frame.duration))
    )
    # A GIF counts repetitions, 0 for ever; a GIF without a count is played once.
    loop = {} if animation.plays == 1 else {"loop": max(0, animation.plays - 1)}
    try:
        return _save(animation, encoding, disposal=1, **loop)
    except OverflowError as exc:
        # Pillow merges equal neighbours into one frame, and adds up their durations.
        raise InvalidOperation(
            "gif: a frame lasts longer than 655 seconds, the most a GIF stores."
        ) from exc


def _tiff(image: Image.Image, encoding: Encoding) -> bytes:
    metadata = encoding.metadata
    exif = load_exif(metadata.exif)
    for part in EXIF_DIRECTORIES:
        # libtiff writes no directory within a directory.
        exif.pop(part, None)
    if metadata.xmp:
        exif[Base.XMLPacket] = metadata.xmp
    plain = replace(encoding, metadata=NO_METADATA)
    return _save(image, plain, compression="tiff_adobe_deflate", exif=exif)


def _jxl(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    # Quality 100 would be lossless. Effort 7, the default, takes seven times as long.
    options = {"lossless": True} if encoding.lossless else {"quality": min(quality, 99)}
    return _save(image, encoding, effort=4, num_threads=0, **options)


def _heif(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    chroma = encoding.chroma or Chroma.QUARTER
    try:
        return _save(image, encoding, quality=quality, chroma=chroma)
    except RuntimeError as exc:
        # For example, x265 refuses a side above 4,216 pixels if the other side is 16 or less.
        size = f"{image.width} x {image.height}"
        raise ImageTooBig(f"The HEIF encoder cannot write {size} pixels.") from exc


def _save(image: Image.Image, encoding: Encoding, **options: Any) -> bytes:
    """Return what Pillow saves, with the encoding's metadata and an animation's durations."""
    spec = encoding.format.spec
    if encoding.metadata.exif and spec.metadata:
        options["exif"] = encoding.metadata.exif
    # A PNG gets XMP as a text chunk.
    if encoding.metadata.xmp and spec.metadata and encoding.format is not Format.PNG:
        options["xmp"] = encoding.metadata.xmp
    if encoding.profile:
        options["icc_profile"] = encoding.profile
    if isinstance(image, Animation):
        options |= {"save_all": True, "duration": image.durations}
    buffer = _LimitedBuffer(encoding.limit)
    image.save(buffer, encoding.format.value, **options)
    return buffer.getvalue()


class _LimitedBuffer(io.BytesIO):
    """A buffer that ends an encoder which writes too much: most write while they encode."""

    def __init__(self, limit: int | None) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:
        """Append data. Raises ResultTooBig."""
        _check_size(self.tell() + len(data), self._limit)
        return super().write(data)


def _check_size(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise ResultTooBig(
            f"The result has more than {limit:,} bytes, the most that are accepted: choose a "
            "smaller size, or another format."
        )

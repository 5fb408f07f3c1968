"""Pixels to bytes: one file of each format that is written, a still or an animation."""

import io
import re
from dataclasses import dataclass, replace
from typing import Any, assert_never

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.outputs import Chroma, Format
from services.imaging.engine.encoding.quantize import paletted
from services.imaging.engine.formats import apng, gif, plugins
from services.imaging.engine.formats.gif_delays import Delays
from services.imaging.engine.metadata.policy import (
    EXIF_DIRECTORIES,
    NO_METADATA,
    KeptMetadata,
    load_exif,
)
from services.imaging.engine.raster.alpha import flatten_on_white, has_alpha
from services.imaging.engine.raster.animation import Animation, Frame

_WEBP_SIDE = 16_383
# Two times of eight bytes, after version and flags (ISO/IEC 14496-12:2022, 8.2.2, version 1).
_DATES = re.compile(rb"((?:mvhd|tkhd|mdhd)\x01.{3}).{16}", re.DOTALL)
# How long a film and its tracks last, for ever, and how long they take once (the same, 8.2.2, 8.3.2
# and 8.6.6; what is longer than its edits repeats them).
_FOR_EVER = re.compile(rb"(mvhd\x01.{23}|tkhd\x01.{27})\xff{8}", re.DOTALL)
_ONCE = re.compile(rb"elst\x01.{7}(.{8})", re.DOTALL)

# The name of the first chunk, and what a VP8X tells of (RFC 9649, section 2.7).
_WEBP_CHUNK, _WEBP_FLAGS, _WEBP_ALPHA = slice(12, 16), 20, 0x10
_GIF_SIDE = 65_535


@dataclass(frozen=True)
class Encoding:
    """How an image is written, but for its quality."""

    format: Format
    lossless: bool = False
    progressive: bool = False
    chroma: Chroma | None = None
    palette: int | None = None
    metadata: KeptMetadata = NO_METADATA
    profile: bytes = b""


def encode(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    """The image as a file.

    Raises ImageTooBig where the format can't hold it, and InvalidOperation where it isn't here.
    """
    # Not UnsupportedFormat, which says that the source is no good.
    if missing := plugins.missing(encoding.format):
        raise InvalidOperation(f"format: {missing}")
    match encoding.format:
        case Format.JPEG:
            return _jpeg(flatten_on_white(image), encoding, quality)
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
    return _saved(image, encoding, quality=quality, **options)


def _png(image: Image.Image, encoding: Encoding) -> bytes:
    # Level 6, the default, takes three times as long and saves 4 percent.
    options: dict[str, Any] = {"compress_level": 3}
    if isinstance(image, Animation):
        return _apng(image, encoding)
    if encoding.palette:
        image = paletted(image, encoding.palette, translucent=True)
    if encoding.metadata.xmp:
        options["pnginfo"] = PngInfo()
        text = encoding.metadata.xmp.decode(errors="replace")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", text)
    return _saved(image, encoding, **options)


def _apng(film: Animation, encoding: Encoding) -> bytes:
    colours, mode = encoding.palette, film.mode
    if colours:
        # All frames share one table, and so it is no table: few colours a frame are still smaller.
        film = film.map_frames(
            lambda frame: Frame(
                paletted(frame.image, colours, translucent=True).convert(mode), frame.duration
            )
        )
    still = replace(encoding, palette=None)
    return apng.written(film, lambda frame: _png(frame, still))


def _webp(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    if max(image.size) > _WEBP_SIDE:
        raise ImageTooBig(f"A WebP has at most {_WEBP_SIDE:,} pixels a side.")
    # Method 4 takes twice as long and saves 4 percent.
    options: dict[str, Any] = {"quality": quality, "method": 2}
    if encoding.lossless:
        # How hard to try, from here on; transparent pixels keep their colours as well.
        options |= {"lossless": True, "quality": 60, "exact": True}
    if not isinstance(image, Animation):
        return _saved(image, encoding, **options)
    data = _saved(image, encoding, loop=image.plays, **options)
    # Frames that are all alike become a still, which may have no flags.
    if has_alpha(image) and data[_WEBP_CHUNK] == b"VP8X":
        # libwebp does not tell of transparency that is only around all frames' changes.
        data = (
            data[:_WEBP_FLAGS] + bytes([data[_WEBP_FLAGS] | _WEBP_ALPHA]) + data[_WEBP_FLAGS + 1 :]
        )
    return data


def _avif(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    options = {"subsampling": ":".join(encoding.chroma)} if encoding.chroma else {}
    # The bytes depend on the number of threads, and a process has one core anyway.
    data = _saved(image, encoding, quality=quality, speed=8, max_threads=1, **options)
    if not isinstance(image, Animation):
        return data
    # libavif says when it made an animation, and the same question has to have the same bytes.
    boxes, _, pixels = data.partition(b"mdat")
    boxes = _DATES.sub(rb"\g<1>" + bytes(16), boxes)
    if image.plays and (once := _ONCE.search(boxes)):
        # Pillow says for ever.
        lasts = (image.plays * int.from_bytes(once[1], "big")).to_bytes(8, "big")
        boxes = _FOR_EVER.sub(lambda found: found[1] + lasts, boxes)
    return boxes + b"mdat" + pixels


def _gif(image: Image.Image, encoding: Encoding) -> bytes:
    if max(image.size) > _GIF_SIDE:
        raise ImageTooBig(f"A GIF has at most {_GIF_SIDE:,} pixels a side.")
    colours = encoding.palette or 256
    if not isinstance(image, Animation):
        return _saved(paletted(image, colours), encoding)
    if has_alpha(image):
        return gif.written(
            image, lambda frame: _saved(paletted(frame, colours), encoding, interlace=0)
        )
    delays = Delays()
    film = image.map_frames(
        lambda frame: Frame(paletted(frame.image, colours), delays.after(frame.duration))
    )
    # A GIF says how often it is repeated, and nothing where it is played once.
    loop = {} if film.plays == 1 else {"loop": max(0, film.plays - 1)}
    try:
        return _saved(film, encoding, disposal=1, **loop)
    except OverflowError as exc:
        # Those that are alike become one.
        raise InvalidOperation("gif: frames last longer than it can say, 655 seconds.") from exc


def _tiff(image: Image.Image, encoding: Encoding) -> bytes:
    metadata = encoding.metadata
    exif = load_exif(metadata.exif)
    for part in EXIF_DIRECTORIES:
        # libtiff writes no directories within a directory.
        exif.pop(part, None)
    if metadata.xmp:
        exif[Base.XMLPacket] = metadata.xmp
    plain = replace(encoding, metadata=NO_METADATA)
    return _saved(image, plain, compression="tiff_adobe_deflate", exif=exif)


def _jxl(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    # Effort 7, the default, takes seven times as long; 100 would be lossless.
    options = {"lossless": True} if encoding.lossless else {"quality": min(quality, 99)}
    return _saved(image, encoding, effort=4, num_threads=0, **options)


def _heif(image: Image.Image, encoding: Encoding, quality: int) -> bytes:
    chroma = encoding.chroma or Chroma.QUARTER
    try:
        return _saved(image, encoding, quality=quality, chroma=chroma)
    except RuntimeError as exc:
        # x265 takes sides of 4,216 pixels at most where the other is of 16 or fewer, for one.
        size = f"{image.width} x {image.height}"
        raise ImageTooBig(f"There is no encoder for a HEIF of {size} pixels.") from exc


def _saved(image: Image.Image, encoding: Encoding, **options: Any) -> bytes:
    if encoding.metadata.exif:
        options["exif"] = encoding.metadata.exif
    if encoding.metadata.xmp and encoding.format not in (Format.PNG, Format.GIF):
        options["xmp"] = encoding.metadata.xmp
    if encoding.profile:
        options["icc_profile"] = encoding.profile
    if isinstance(image, Animation):
        options |= {"save_all": True, "duration": image.durations}
    buffer = io.BytesIO()
    image.save(buffer, encoding.format.value, **options)
    return buffer.getvalue()

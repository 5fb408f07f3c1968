"""What a source says about itself, as far as a result may say it, too."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from PIL import Image
from PIL.ExifTags import IFD, Base

from contracts.outputs import Metadata
from services.imaging.engine.metadata import rights
from services.imaging.engine.metadata.exif_text import keep_bytes
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS

EXIF_DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
"""The directories within EXIF's own that are kept."""

# A TIFF's own directory says how its pixels are stored, which is true of no other file.
_KEPT = (
    *rights.TAGS,
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.HostComputer,
    Base.Rating,
    Base.XPTitle,
    Base.XPComment,
    Base.XPAuthor,
    Base.XPKeywords,
    Base.XPSubject,
)

# A size that is another now, and a maker's notes, which point to places in the old file.
_UNTRUE = (
    Base.ExifImageWidth,
    Base.ExifImageHeight,
    Base.MakerNote,
    Base.ExifInteroperabilityOffset,
)

_SRGB = 1  # CIPA DC-008-2019, ColorSpace; whatever else is "uncalibrated"

# Bytes: what is longer than any program writes is left out, and not looked through.
_LONGEST_XMP = 4_000_000

_LIES = re.compile(rb"""(tiff:Orientation\s*=\s*["'])[2-8]|(<tiff:Orientation>\s*)[2-8]""")
_THUMBNAILS = (b"xmp:Thumbnails", b"xap:Thumbnails")


@dataclass(frozen=True)
class KeptMetadata:
    """Metadata in the form in which files hold it; empty where there is none."""

    exif: bytes = b""
    xmp: bytes = b""


NO_METADATA = KeptMetadata()


def select_metadata(
    image: Image.Image, kept: Metadata, *, becomes_srgb: bool = False
) -> KeptMetadata:
    """What is kept of an opened image's metadata; what can't be read is taken for none.

    `becomes_srgb` says that the colours are converted, and so the notes shall say what they become.
    """
    match kept:
        case Metadata.STRIP:
            return NO_METADATA
        case Metadata.COPYRIGHT:
            return KeptMetadata(_written(_rights(image)))
        case Metadata.KEEP:
            exif = _true(image, becomes_srgb=becomes_srgb)
            exif.update(_rights(image))
            return KeptMetadata(_written(exif), _xmp(image))
        case _:
            assert_never(kept)


def load_exif(data: bytes) -> Image.Exif:
    """EXIF as notes hold it, to be written again in another way."""
    exif = Image.Exif()
    exif.load(data)
    for tag in exif:
        exif[tag] = keep_bytes(exif[tag])
    for part in EXIF_DIRECTORIES:
        if part in exif:
            exif[part] = {tag: keep_bytes(value) for tag, value in exif.get_ifd(part).items()}
    return exif


def _true(image: Image.Image, *, becomes_srgb: bool) -> Image.Exif:
    """What is true of the result, too."""
    exif, found = Image.Exif(), _found(image)
    with suppress(*DECODE_ERRORS):
        for tag in _KEPT:
            if tag in found:
                exif[tag] = keep_bytes(found[tag])
        for part in EXIF_DIRECTORIES:
            values = {tag: v for tag, v in found.get_ifd(part).items() if tag not in _UNTRUE}
            if becomes_srgb and Base.ColorSpace in values:
                values[Base.ColorSpace] = _SRGB
            if values:
                exif[part] = {tag: keep_bytes(value) for tag, value in values.items()}
    return exif


def _rights(image: Image.Image) -> Image.Exif:
    exif = Image.Exif()
    exif.update(rights.rights_of(image, _found(image), _xmp(image)))
    return exif


def _found(image: Image.Image) -> Image.Exif:
    with suppress(*DECODE_ERRORS):
        # A PNG's own getexif() decodes the image, to look for EXIF behind the pixels.
        return Image.Image.getexif(image)
    return Image.Exif()


def _written(exif: Image.Exif) -> bytes:
    with suppress(*DECODE_ERRORS):
        if exif:
            return exif.tobytes()
    return b""


def _xmp(image: Image.Image) -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or len(packet) > _LONGEST_XMP:
        return b""
    upright = _LIES.sub(rb"\g<1>\g<2>1", packet)
    for name in _THUMBNAILS:
        upright = _without(upright, name)
    return upright


def _without(packet: bytes, name: bytes) -> bytes:
    """The packet without the elements of a name, in one pass: it may be made to hurt."""
    opening, closing = b"<" + name, b"</" + name + b">"
    parts, at = [], 0
    while (start := packet.find(opening, at)) >= 0:
        end = packet.find(closing, start)
        if end < 0:
            break
        parts.append(packet[at:start])
        at = end + len(closing)
    return b"".join((*parts, packet[at:]))

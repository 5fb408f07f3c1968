"""What a source says about itself, as far as a result may say it, too."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from PIL import Image
from PIL.ExifTags import IFD, Base

from contracts.outputs import Metadata
from services.imaging.source import UNREADABLE

_COPYRIGHT = (Base.Artist, Base.Copyright)

# A TIFF's own directory says how its pixels are stored, which is true of no other file.
_KEPT = (
    *_COPYRIGHT,
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

_LIES = re.compile(rb"""(tiff:Orientation\s*=\s*["'])[2-8]|(<tiff:Orientation>\s*)[2-8]""")
_THUMBNAILS = (b"xmp:Thumbnails", b"xap:Thumbnails")


@dataclass(frozen=True)
class Notes:
    """Metadata in the form in which files hold it; empty where there is none."""

    exif: bytes = b""
    xmp: bytes = b""


NO_NOTES = Notes()


def notes_of(image: Image.Image, kept: Metadata) -> Notes:
    """What is kept of an opened image's metadata; what can't be read is taken for none."""
    match kept:
        case Metadata.STRIP:
            return NO_NOTES
        case Metadata.COPYRIGHT:
            return Notes(_exif(image, _COPYRIGHT, parts=()))
        case Metadata.KEEP:
            return Notes(_exif(image, _KEPT, parts=(IFD.Exif, IFD.GPSInfo)), _xmp(image))
        case _:
            assert_never(kept)


def _exif(image: Image.Image, tags: tuple[int, ...], parts: tuple[IFD, ...]) -> bytes:
    kept = Image.Exif()
    with suppress(*UNREADABLE):
        # A PNG's own getexif() decodes the image, to look for EXIF behind the pixels.
        found = Image.Image.getexif(image)
        for tag in tags:
            if tag in found:
                kept[tag] = found[tag]
        for part in parts:
            values = {tag: v for tag, v in found.get_ifd(part).items() if tag not in _UNTRUE}
            if values:
                kept.get_ifd(part).update(values)
                kept[part] = kept.get_ifd(part)
        if kept:
            return kept.tobytes()
    return b""


def _xmp(image: Image.Image) -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes):
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

"""Choose the metadata of a source that its rendition keeps, by the output's `metadata` field."""

from dataclasses import dataclass
from typing import assert_never

from PIL import Image
from PIL.ExifTags import IFD, Base

from contracts.outputs import Metadata
from services.imaging.engine.metadata.exif import read_exif
from services.imaging.engine.metadata.exif_text import keep_bytes
from services.imaging.engine.metadata.rights import RIGHTS_TAGS, read_rights
from services.imaging.engine.metadata.xmp import read_xmp
from services.imaging.engine.safety.decode_errors import ignore_decode_errors

EXIF_DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
"""The directories that are kept, besides EXIF's main one."""

# Of the main directory only these: a TIFF's also says how its own pixels are stored.
_MAIN_TAGS = (
    *RIGHTS_TAGS,
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

# Not true of a rendition: the size changes, and a maker's note holds offsets into the old file.
_DROPPED_TAGS = (
    Base.ExifImageWidth,
    Base.ExifImageHeight,
    Base.MakerNote,
    Base.ExifInteroperabilityOffset,
)

_SRGB = 1  # a value of ColorSpace; any other colours are "uncalibrated" (CIPA DC-008-2019)


@dataclass(frozen=True)
class KeptMetadata:
    """EXIF and an XMP packet as files hold them; empty where there is none."""

    exif: bytes = b""
    xmp: bytes = b""


NO_METADATA = KeptMetadata()


def select_metadata(
    image: Image.Image, kept: Metadata, *, becomes_srgb: bool = False
) -> KeptMetadata:
    """The metadata of an opened image that is kept; unreadable metadata counts as absent.

    Call it before decoding, which drops metadata. With `becomes_srgb` the EXIF that is kept says
    that the colours are sRGB.
    """
    match kept:
        case Metadata.STRIP:
            return NO_METADATA
        case Metadata.COPYRIGHT:
            return KeptMetadata(_to_bytes(_rights_only(image)))
        case Metadata.KEEP:
            exif = _lasting_exif(image, becomes_srgb=becomes_srgb)
            exif.update(_rights_only(image))
            return KeptMetadata(_to_bytes(exif), read_xmp(image))
        case _:
            assert_never(kept)


def load_exif(data: bytes) -> Image.Exif:
    """Parse the EXIF of a `KeptMetadata` so that it can be changed and written again."""
    exif = Image.Exif()
    exif.load(data)
    for tag in exif:
        exif[tag] = keep_bytes(exif[tag])
    for directory in EXIF_DIRECTORIES:
        if directory in exif:
            tags = exif.get_ifd(directory).items()
            exif[directory] = {tag: keep_bytes(value) for tag, value in tags}
    return exif


def _lasting_exif(image: Image.Image, *, becomes_srgb: bool) -> Image.Exif:
    """The tags that are true of the rendition as well as of its source."""
    exif, found = Image.Exif(), read_exif(image)
    with ignore_decode_errors():
        for tag in _MAIN_TAGS:
            if tag in found:
                exif[tag] = keep_bytes(found[tag])
        for directory in EXIF_DIRECTORIES:
            tags = found.get_ifd(directory).items()
            values = {tag: value for tag, value in tags if tag not in _DROPPED_TAGS}
            if becomes_srgb and Base.ColorSpace in values:
                values[Base.ColorSpace] = _SRGB
            if values:
                exif[directory] = {tag: keep_bytes(value) for tag, value in values.items()}
    return exif


def _rights_only(image: Image.Image) -> Image.Exif:
    exif = Image.Exif()
    exif.update(read_rights(image, read_exif(image), read_xmp(image)))
    return exif


def _to_bytes(exif: Image.Exif) -> bytes:
    with ignore_decode_errors():
        if exif:
            return exif.tobytes()
    return b""

"""Drop metadata until it fits into a JPEG's segments, the longest values first."""

from typing import Any

from PIL import Image

from contracts.formats import Format
from services.imaging.engine.metadata.policy import EXIF_DIRECTORIES, KeptMetadata, load_exif
from services.imaging.engine.metadata.rights import RIGHTS_TAGS

# Bytes of a segment: its length has two bytes (ITU-T T.81, B.1.1.4). EXIF and XMP have one segment
# each. Other formats hold any metadata that a request body can.
_SEGMENT = 65_533
_XMP_SIGNATURE = 29  # bytes, before the packet

_ExifKey = tuple[int | None, int]
"""A directory (None for the main one) and a tag."""


def fit(metadata: KeptMetadata, format: Format) -> KeptMetadata:
    """Return the part of the metadata that a file of this format can hold.

    An XMP packet that is too long is dropped. Of EXIF, tags are dropped by size; artist and
    copyright go last.
    """
    if format is not Format.JPEG:
        return metadata
    xmp = metadata.xmp if len(metadata.xmp) <= _SEGMENT - _XMP_SIGNATURE else b""
    return KeptMetadata(_shortened(metadata.exif, _SEGMENT), xmp)


def _shortened(data: bytes, limit: int) -> bytes:
    if len(data) <= limit:
        return data
    exif = load_exif(data)
    sizes: dict[_ExifKey, int] = {
        (None, tag): _size(exif[tag]) for tag in exif if tag not in EXIF_DIRECTORIES
    }
    for directory in EXIF_DIRECTORIES:
        sizes |= {(directory, tag): _size(value) for tag, value in exif.get(directory, {}).items()}
    # The last is dropped first.
    order = sorted(sizes, key=lambda key: (key[1] not in RIGHTS_TAGS, sizes[key]))
    while order and len(data) > limit:
        excess = len(data) - limit
        while order and excess > 0:
            key = order.pop()
            excess -= sizes[key]
            _drop(exif, key)
        data = exif.tobytes()
    return data if order else b""


def _drop(exif: Image.Exif, key: _ExifKey) -> None:
    directory, tag = key
    if directory is None:
        del exif[tag]
    else:
        del exif[directory][tag]


def _size(value: Any) -> int:
    """About the bytes that a tag takes."""
    if isinstance(value, str | bytes):
        return len(value) + 12
    return 8 * len(value) + 12 if isinstance(value, tuple) else 20

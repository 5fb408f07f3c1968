"""How much metadata a format has room for; what is beyond it is left out, the longest first."""

from typing import Any

from PIL import Image

from contracts.formats import Format
from services.imaging.engine.metadata.policy import EXIF_DIRECTORIES, KeptMetadata, load_exif
from services.imaging.engine.metadata.rights import TAGS

# ITU-T T.81, B.1.1.4: a segment says its length in two bytes, and EXIF and XMP have one each. Other
# formats take what a body may hold.
_SEGMENT = 65_533
_XMP_NAME = 29  # bytes, in front of the packet

_Place = tuple[int | None, int]
"""The directory within EXIF, or None for its own, and the tag."""


def fit(notes: KeptMetadata, format: Format) -> KeptMetadata:
    """As much of the notes as a file of the format holds; who it belongs to goes last."""
    if format is not Format.JPEG:
        return notes
    xmp = notes.xmp if len(notes.xmp) <= _SEGMENT - _XMP_NAME else b""
    return KeptMetadata(_shortened(notes.exif, _SEGMENT), xmp)


def _shortened(data: bytes, most: int) -> bytes:
    if len(data) <= most:
        return data
    exif = load_exif(data)
    sizes: dict[_Place, int] = {
        (None, tag): _size(exif[tag]) for tag in exif if tag not in EXIF_DIRECTORIES
    }
    for part in EXIF_DIRECTORIES:
        sizes |= {(part, tag): _size(value) for tag, value in exif.get(part, {}).items()}
    longest = sorted(sizes, key=lambda place: (place[1] not in TAGS, sizes[place]))
    while longest and len(data) > most:
        excess = len(data) - most
        while longest and excess > 0:
            place = longest.pop()
            excess -= sizes[place]
            _leave_out(exif, place)
        data = exif.tobytes()
    return data if longest else b""


def _leave_out(exif: Image.Exif, place: _Place) -> None:
    part, tag = place
    if part is None:
        del exif[tag]
    else:
        del exif[part][tag]


def _size(value: Any) -> int:
    """About the bytes of a tag."""
    if isinstance(value, str | bytes):
        return len(value) + 12
    return 8 * len(value) + 12 if isinstance(value, tuple) else 20

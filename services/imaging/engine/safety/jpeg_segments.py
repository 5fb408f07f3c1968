"""Walk the segments of a JPEG up to its pixels, as Pillow does.

ITU-T T.81, annex B. 64 MB of the smallest segments take Pillow half a minute. A segment beside the
pixels that Pillow would refuse the picture for is left out, and a coding that is not read is named.
"""

import struct
from dataclasses import dataclass

from PIL.JpegImagePlugin import MARKER

from contracts.errors import ImageTooBig, UnsupportedFormat
from services.imaging.engine.safety.tiff_tags import MAX_EXIF

# Each limit is far above what any known writer produces.
_MAX_SEGMENTS = 10_000
_MAX_JUNK = 65_536  # bytes between segments; cameras leave a few
_MAX_TABLES = 65_536  # bytes of frame headers and quantization tables; a photograph has 300

_HEAD = struct.Struct(">HH")  # a marker, and the length of its segment without the marker
_STUFFED, _SCAN, _DQT, _DHP, _FILL, _LS = 0xFF00, 0xFFDA, 0xFFDB, 0xFFDE, 0xFFFF, 0xFFF7
_FRAMES = {*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}  # all SOF markers
_SEQUENTIAL_FRAMES = (0xFFC0, 0xFFC1)
_TABLES = _FRAMES | {_DQT}
_APPLICATION = {*range(0xFFE0, 0xFFF0)}
_PROCESSES = (0xFFC0, 0xFFC1, 0xFFC2, 0xFFC3, 0xFFC9, 0xFFCA)  # baseline to lossless, arithmetic
_BITS = 8
_COMPONENTS = (1, 3, 4)

_DESCRIPTIVE = _FRAMES | _APPLICATION | {_DHP}  # what `Segments.descriptive` has
_WITH_LENGTH = {marker for marker, (_, _, read) in MARKER.items() if read} - {_SCAN}
_BRIEF = _WITH_LENGTH - _DESCRIPTIVE - {_DQT}  # nothing is checked, and Pillow reads nothing

# Segments whose first fields Pillow 13.0 reads without looking whether they are there, by marker:
# how the content begins, and the least length of the content.
_FIELDS = {0xFFE0: (b"JFIF", 7), 0xFFEE: (b"Adobe", 7), 0xFFE2: (b"ICC_PROFILE\0", 14)}

# Metadata that Pillow joins, or takes apart block by block, and how its segments begin. To join
# 10,000 segments of 6.5 KB one by one copies 300 GB.
_COSTLY = {0xFFE1: b"Exif\0\0", 0xFFED: b"Photoshop 3.0\0"}


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a JPEG before its pixels."""

    data: bytes
    """The file without the segments that Pillow would refuse it for; nearly always as it came."""
    descriptive: list[tuple[int, int]]
    """Markers of the frame and of the application segments, and where their lengths lie.

    Of EXIF, and of Photoshop's metadata, there are `MAX_EXIF` bytes and one segment more.
    """
    end: int
    """The end of the last segment before the pixels; beyond the file if that is cut off."""
    stop: int
    """The marker at the end: a scan's, or one that no JPEG has here; 0 if the file ends."""
    has_one_scan: bool
    """True if the first scan has every component; no other is decoded then.

    False where Pillow and libjpeg may find other segments.
    """


def read(data: bytes) -> Segments:
    """Return the segments of a JPEG.

    Raises ImageTooBig for too many or too large segments, and UnsupportedFormat.
    """
    at, junk, tables, kept_to, is_plain = 2, 0, 0, 0, True
    descriptive: list[tuple[int, int]] = []
    costly: dict[int, int] = {}  # bytes of metadata by marker
    parts: list[bytes] = []
    last = len(data) - _HEAD.size
    for _ in range(_MAX_SEGMENTS):
        marker, length = _HEAD.unpack_from(data, at) if at <= last else (0, 0)
        if marker in _BRIEF:
            at += 2 + max(2, length)
            continue
        if marker in _WITH_LENGTH:
            length = max(2, length)
            content = data[at + 4 : at + 2 + length]
            if marker in _FRAMES:
                _check_frame(marker, content)
            if marker in _TABLES:
                tables += length
            if marker in _FIELDS and _is_too_short(marker, content):
                parts.append(data[kept_to:at])
                kept_to = at + 2 + length
            elif marker in _COSTLY and content.startswith(_COSTLY[marker]):
                before = costly.get(marker, 0)
                if before <= MAX_EXIF:
                    descriptive.append((marker, at + 2))
                costly[marker] = before + length
            elif marker in _DESCRIPTIVE:
                descriptive.append((marker, at + 2))
            at += 2 + length
        elif marker == _SCAN or at > last:
            break
        elif marker == _LS:
            raise UnsupportedFormat("The file is a JPEG-LS; send a JPEG.")
        else:
            is_plain = False
            if marker < _STUFFED:
                found = data.find(b"\xff", at)
                found = len(data) if found < 0 else found
                junk += found - at
                at = found
            elif marker == _FILL:
                at += 1
            elif marker == _STUFFED or marker in MARKER:
                junk += 2 if marker == _STUFFED else 0
                at += 2
            else:
                break
        if junk > _MAX_JUNK or tables > _MAX_TABLES:
            raise _too_big()
    else:
        raise _too_big()
    if parts:
        return read(b"".join((*parts, data[kept_to:])))
    has_one_scan = marker == _SCAN and is_plain and _has_one_scan(data, descriptive, at)
    return Segments(data, descriptive, at, marker, has_one_scan)


def _has_one_scan(data: bytes, descriptive: list[tuple[int, int]], scan: int) -> bool:
    """Return whether the scan has every component of the last frame, which is sequential."""
    for marker, at in reversed(descriptive):
        if marker not in _APPLICATION:
            is_sequential = marker in _SEQUENTIAL_FRAMES
            return is_sequential and data[at + 7 : at + 8] == data[scan + 4 : scan + 5]
    return False


def _check_frame(marker: int, header: bytes) -> None:
    """Raise UnsupportedFormat for a frame that no decoder here reads."""
    if len(header) < 6:
        return
    if marker not in _PROCESSES:
        raise UnsupportedFormat(
            f"The JPEG is hierarchical, or lossless with arithmetic coding (SOF{marker & 15}); "
            "send one that is baseline or progressive."
        )
    if header[0] != _BITS:
        raise UnsupportedFormat(f"The JPEG has {header[0]} bits a sample; {_BITS} are read.")
    if header[5] not in _COMPONENTS:
        raise UnsupportedFormat(f"The JPEG has {header[5]} components; 1, 3 and 4 are read.")


def _is_too_short(marker: int, content: bytes) -> bool:
    beginning, least = _FIELDS[marker]
    return len(content) < least and content.startswith(beginning)


def _too_big() -> ImageTooBig:
    return ImageTooBig(
        f"The JPEG has more than {_MAX_SEGMENTS:,} segments, or {_MAX_JUNK:,} bytes between "
        f"them, or {_MAX_TABLES:,} bytes of tables."
    )

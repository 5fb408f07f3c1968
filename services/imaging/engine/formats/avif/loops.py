"""The loop count of an animated AVIF, read from and written to its boxes (ISO/IEC 14496-12:2022).

Loop count = track duration / edit-list duration, if the edit list repeats (8.3.2, 8.6.6).

Seen in Pillow 13.0: an opened AVIF has no `info["loop"]`, `save` ignores `loop=` and always writes
"for ever", and libavif writes the time of encoding into the file. This module can go once Pillow
reads and writes `loop`, and lets a caller set the times.
"""

import re

from services.imaging.engine.formats.boxes import Span, content

_REPEAT = 1  # flag of an edit list

# Creation and modification time, 8 bytes each, after version and flags (8.2.2, version 1).
_TIMES = re.compile(rb"((?:mvhd|tkhd|mdhd)\x01.{3}).{16}", re.DOTALL)
# The durations of the movie and its tracks that mean "for ever" (8.2.2, 8.3.2).
_FOR_EVER = re.compile(rb"(mvhd\x01.{23}|tkhd\x01.{27})\xff{8}", re.DOTALL)
# The duration of a track's only edit (8.6.6).
_EDIT = re.compile(rb"elst\x01.{7}(.{8})", re.DOTALL)


def loop_count(data: bytes) -> int:
    """Return how often an AVIF is played; 0 for ever, or if its boxes do not say."""
    whole = (0, len(data))
    header = content(data, whole, b"moov", b"trak", b"tkhd")
    edits = content(data, whole, b"moov", b"trak", b"edts", b"elst")
    if header is None or edits is None:
        return 0
    if not data[edits[0] + 3 : edits[0] + 4] or not data[edits[0] + 3] & _REPEAT:
        return 1
    # The offsets of the durations, in version 0 and version 1 of each box.
    track, for_ever = _duration(data, header, offsets=(20, 28))
    edit, _ = _duration(data, edits, offsets=(8, 8))
    return 0 if track == for_ever or not edit else -(-track // edit)


def finished(data: bytes, plays: int) -> bytes:
    """Return an animation that libavif wrote, with this loop count (0: for ever) and no times.

    Without the times, equal requests give equal bytes.
    """
    boxes, _, pixels = data.partition(b"mdat")
    boxes = _TIMES.sub(rb"\g<1>" + bytes(16), boxes)
    if plays and (edit := _EDIT.search(boxes)):
        track = (plays * int.from_bytes(edit[1], "big")).to_bytes(8, "big")
        boxes = _FOR_EVER.sub(lambda found: found[1] + track, boxes)
    return boxes + b"mdat" + pixels


def _duration(data: bytes, span: Span, *, offsets: tuple[int, int]) -> tuple[int, int]:
    """Return a duration, of 8 bytes in version 1 and 4 in version 0, and the value "for ever"."""
    is_long = data[span[0] : span[0] + 1] == b"\1"
    size, at = 8 if is_long else 4, span[0] + offsets[is_long]
    return int.from_bytes(data[at : min(at + size, span[1])], "big"), (1 << 8 * size) - 1

"""How many frames a GIF or a TIFF has, and how many scans a JPEG, by walking their blocks.

No pixel and no tag is read. Pillow counts frames by parsing every one, and does not count scans:
seconds, for a small file that is made to hurt.
"""

import re
from typing import Literal

from contracts.errors import ImageTooBig, ImageUnreadable

# GIF data comes in blocks of up to 255 bytes; a file made to hurt has blocks of one.
_MOST_GIF_BLOCKS = 500_000

# A photograph has 10 at most. Of more, each goes over every pixel again, and may be 14 bytes long.
_PLAIN_SCANS = 20
_MOST_SCANNED_PIXELS = 500_000_000  # half a second

# ITU-T T.81, annex B: after pixels, a marker is what is neither stuffed nor a restart.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_ALONE = (0x01, 0xD8)  # no length follows
_FILL = 0xFF

# Pillow goes from one to the next in Python: 64 MB of the smallest take half a minute.
_MOST_JPEG_SEGMENTS = 10_000
_MOST_PNG_CHUNKS = 50_000


def scan(data: bytes, most: int) -> int | None:
    """The frames of a GIF or a TIFF, counted no further than `most + 1`; None for the rest."""
    match data[:4]:
        case b"GIF8":
            return _gif_frames(data, most)
        case b"II*\0" | b"II+\0":
            return _tiff_frames(data, most, "little")
        case b"MM\0*" | b"MM\0+":
            return _tiff_frames(data, most, "big")
    return None


def check_pieces(data: bytes) -> None:
    """Refuse a JPEG or a PNG in more pieces than any writer makes. Raises ImageTooBig."""
    if data[:3] == b"\xff\xd8\xff":
        _check_segments(data)
    elif data[:4] == b"\x89PNG":
        _check_chunks(data)


def _check_segments(data: bytes) -> None:
    at = 2
    for _ in range(_MOST_JPEG_SEGMENTS):
        marker = data[at + 1 : at + 2]
        if data[at : at + 1] != b"\xff" or not marker or marker[0] == _SCAN:
            return
        if marker[0] == _FILL:
            at += 1
        elif marker[0] in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ImageTooBig(f"The JPEG has more than {_MOST_JPEG_SEGMENTS:,} segments.")


def _check_chunks(data: bytes) -> None:
    at = 8
    for _ in range(_MOST_PNG_CHUNKS):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ImageTooBig(f"The PNG has more than {_MOST_PNG_CHUNKS:,} chunks.")


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG that goes over its pixels again and again. Raises ImageTooBig."""
    most = max(_PLAIN_SCANS, _MOST_SCANNED_PIXELS // pixels)
    # A film or another picture behind this one may look as if it had some, too.
    if data.count(bytes([0xFF, _SCAN])) > most and _scans(data, most) > most:
        raise ImageTooBig(f"The JPEG has more than {most} scans.")


def _scans(data: bytes, most: int) -> int:
    scans, at = 0, 2
    while scans <= most and (found := _MARKER.search(data, at)):
        marker, at = found[1][0], found.end()
        if marker == _END:
            break
        scans += marker == _SCAN
        if marker not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _gif_frames(data: bytes, most: int) -> int:
    frames = blocks = 0
    at = 13 + _palette_bytes(data[10:11])
    while frames <= most:
        blocks += 1
        match data[at : at + 1]:
            case b"!":
                at += 2
            case b",":
                frames += 1
                at += 11 + _palette_bytes(data[at + 9 : at + 10])
            case b"\0":  # Some writers end a run of blocks twice.
                pass
            case _:
                break
        while at < len(data) and (length := data[at]) and blocks <= _MOST_GIF_BLOCKS:
            at += 1 + length
            blocks += 1
        at += 1
        if blocks > _MOST_GIF_BLOCKS:
            raise ImageTooBig(f"The GIF has more than {_MOST_GIF_BLOCKS:,} blocks.")
    if frames == 0:
        raise ImageUnreadable("The GIF has no frame.")
    return frames


def _palette_bytes(flags: bytes) -> int:
    return 6 << (flags[0] & 7) if flags and flags[0] & 0x80 else 0


def _tiff_frames(data: bytes, most: int, order: Literal["little", "big"]) -> int:
    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    is_big = number(2, 2) == 43
    start, count_size, entry_size, offset_size = (8, 8, 20, 8) if is_big else (4, 2, 12, 4)
    directories: set[int] = set()
    directory = number(start, offset_size)
    # A chain that bites its tail, or leaves the file, has come to its end.
    while 0 < directory < len(data) and directory not in directories and len(directories) <= most:
        directories.add(directory)
        entries = number(directory, count_size)
        directory = number(directory + count_size + entries * entry_size, offset_size)
    return len(directories)

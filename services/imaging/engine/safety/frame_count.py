"""How many frames a GIF or a TIFF has, by walking their blocks.

No pixel and no tag is read. Pillow counts frames by parsing every one: seconds, for a small file
that is made to hurt.
"""

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging.engine.safety.tiff_tags import Layout

# GIF data comes in blocks of up to 255 bytes; a file made to hurt has blocks of one.
_MOST_GIF_BLOCKS = 500_000

# The last two are not in any standard, but Pillow reads them.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")


def scan(data: bytes, most: int) -> int | None:
    """The frames of a GIF or a TIFF, counted no further than `most + 1`; None for the rest."""
    if data[:4] == b"GIF8":
        return _gif_frames(data, most)
    return _tiff_frames(data, most) if data[:4] in _TIFF else None


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


def _tiff_frames(data: bytes, most: int) -> int:
    layout = Layout.of(data)
    count_size, entry_size, offset_size = (8, 20, 8) if layout.is_big else (2, 12, 4)
    directories: set[int] = set()
    directory = layout.first(data)
    # A chain that bites its tail, or leaves the file, has come to its end.
    while 0 < directory < len(data) and directory not in directories and len(directories) <= most:
        directories.add(directory)
        entries = layout.number(data, directory, count_size)
        following = directory + count_size + entries * entry_size
        directory = layout.number(data, following, offset_size)
    return len(directories)

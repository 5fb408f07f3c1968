"""Count the frames of a GIF or a TIFF by walking its blocks, without reading a pixel or a tag.

Seen in Pillow 13.0: `n_frames` parses every frame, which takes seconds for a small crafted file.
"""

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging.engine.safety.tiff_tags import PREFIXES, Layout

# GIF data comes in sub-blocks of up to 255 bytes; a crafted file has sub-blocks of one byte.
_MAX_GIF_BLOCKS = 500_000


def count_frames(data: bytes, most: int) -> int | None:
    """Return how many frames a GIF or a TIFF has, counted up to `most + 1`; None for other formats.

    Raises ImageTooBig for a GIF of too many blocks, and ImageUnreadable for one without a frame.
    """
    if data[:4] == b"GIF8":
        return _gif_frames(data, most)
    return _tiff_frames(data, most) if data[:4] in PREFIXES else None


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
            case b"\0":  # Some writers terminate a chain of sub-blocks twice.
                pass
            case _:
                break
        while at < len(data) and (length := data[at]) and blocks <= _MAX_GIF_BLOCKS:
            at += 1 + length
            blocks += 1
        at += 1
        if blocks > _MAX_GIF_BLOCKS:
            raise ImageTooBig(f"The GIF has more than {_MAX_GIF_BLOCKS:,} blocks.")
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
    # The chain also ends where an offset repeats or lies outside of the file.
    while 0 < directory < len(data) and directory not in directories and len(directories) <= most:
        directories.add(directory)
        entries = layout.number(data, directory, count_size)
        following = directory + count_size + entries * entry_size
        directory = layout.number(data, following, offset_size)
    return len(directories)

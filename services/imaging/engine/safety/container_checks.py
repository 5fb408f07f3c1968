"""Clean files and check how many scans and tiles they have, before Pillow goes through them.

Each limit is far above what any known writer produces. The checks raise ImageTooBig.
"""

import re

from contracts.errors import ImageTooBig
from services.imaging.engine.safety import png_chunks, tiff_tags
from services.imaging.engine.safety.jpeg_segments import Segments
from services.imaging.engine.safety.tiff_tags import Layout

# A photograph has at most 10 scans. Each one passes over every pixel, and may be 14 bytes long.
_USUAL_SCANS = 20
_MAX_SCANNED_PIXELS = 500_000_000  # half a second

# ITU-T T.81, annex B: in coded pixels, FF begins a marker unless a zero or a restart code follows.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8)

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323  # TIFF tags
_LENGTHS = (279, 325)  # of strips and of tiles
# A small image may lie in one tile of a usual size, a large one in a tile a little larger.
_USUAL_TILE = 2048 * 2048
_MAX_TILE_RATIO = 2
# Strips and tiles may be the same bytes of the file, which are decompressed for each.
_MAX_COMPRESSED = 64 << 20  # bytes of all
_MAX_COMPRESSED_RATIO = 2  # to the file


def clean(data: bytes) -> bytes:
    """Return a file without what Pillow does not need and might refuse it for; often `data`.

    Raises ImageTooBig for a PNG or a TIFF in too many or too large parts. A JPEG is cleaned as its
    segments are read.
    """
    if data[:4] == b"\x89PNG":
        return png_chunks.clean(data)
    if data[:2] in (b"II", b"MM"):
        tiff_tags.check_tiff(data)
        _check_tiles(data)
    return data


def check_scans(segments: Segments, pixels: int) -> None:
    """Refuse a JPEG of so many pixels whose scans take too long. Raises ImageTooBig."""
    if segments.has_one_scan:
        return
    most, data = max(_USUAL_SCANS, _MAX_SCANNED_PIXELS // pixels), segments.data
    # Counting bytes first is quick, but also counts those of a video or an image after the end.
    if data.count(bytes([0xFF, _SCAN])) > most and _count_scans(data, most) > most:
        raise ImageTooBig(f"The JPEG has more than {most} scans.")


def _check_tiles(data: bytes) -> None:
    layout = Layout.of(data)
    values: dict[int, int] = {}
    for entry in layout.entries(data, layout.first(data)):
        values[entry.tag] = layout.value(data, entry)
        if entry.tag in _LENGTHS:
            compressed = sum(min(len(data), one) for one in layout.numbers(data, entry))
            if compressed > max(_MAX_COMPRESSED, _MAX_COMPRESSED_RATIO * len(data)):
                raise ImageTooBig(f"The TIFF's strips or tiles have {compressed:,} bytes in all.")
    tile = values.get(_TILE_WIDTH, 0) * values.get(_TILE_HEIGHT, 0)
    image = values.get(_WIDTH, 0) * values.get(_HEIGHT, 0)
    if tile > max(_USUAL_TILE, _MAX_TILE_RATIO * image):
        raise ImageTooBig(f"The TIFF has {image:,} pixels, and tiles of {tile:,} pixels.")


def _count_scans(data: bytes, most: int) -> int:
    """Return how many scans a JPEG has, counted up to `most + 1`."""
    scans, at = 0, 2
    # As libjpeg walks a JPEG.
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        scans += marker == _SCAN
        if marker == _END or scans > most:
            break
        if marker not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans

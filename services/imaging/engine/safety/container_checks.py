"""Clean files and check how many scans and tiles they have, before Pillow goes through them.

Each limit is far above what any known writer produces. The checks raise ImageTooBig.
"""

import re
from collections.abc import Iterator

from contracts.errors import ImageTooBig
from services.imaging.engine.safety import jpeg_segments, png_chunks, tiff_tags
from services.imaging.engine.safety.tiff_tags import Layout

# A photograph has at most 10 scans. Each one passes over every pixel, and may be 14 bytes long.
_USUAL_SCANS = 20
_MAX_SCANNED_PIXELS = 500_000_000  # half a second

# ITU-T T.81, annex B: in coded pixels, FF begins a marker unless a zero or a restart code follows.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)  # SOF0 and SOF1
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

    Raises ImageTooBig for a JPEG, PNG or TIFF in too many or too large parts, and
    UnsupportedFormat for a JPEG of a kind that is not read.
    """
    if data[:3] == b"\xff\xd8\xff":
        return jpeg_segments.clean(data)
    if data[:4] == b"\x89PNG":
        return png_chunks.clean(data)
    if data[:2] in (b"II", b"MM"):
        tiff_tags.check_tiff(data)
        _check_tiles(data)
    return data


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG of so many pixels whose scans take too long. Raises ImageTooBig."""
    most = max(_USUAL_SCANS, _MAX_SCANNED_PIXELS // pixels)
    if _has_one_scan(data):
        return
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


def _has_one_scan(data: bytes) -> bool:
    """Return whether a sequential JPEG's first scan has every component; no other is decoded."""
    components = b""
    for marker, at in _segments(data):
        if marker in _SEQUENTIAL_FRAMES:
            components = data[at + 7 : at + 8]
        elif marker == _SCAN:
            return components == data[at + 2 : at + 3]
    return False


def _count_scans(data: bytes, most: int) -> int:
    """Return how many scans a JPEG has, counted up to `most + 1`."""
    scans = 0
    for marker, _ in _segments(data):
        scans += marker == _SCAN
        if marker == _END or scans > most:
            break
    return scans


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker and the offset after the marker, walking a JPEG as libjpeg does."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        yield marker, at
        if marker not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")

"""Check how many segments, chunks, scans and tiles a file has, before Pillow goes through them.

Pillow walks segments and chunks in Python: 64 MB of the smallest ones take half a minute. Each
limit is far above what any known writer produces. The checks raise ImageTooBig.
"""

import re
from collections.abc import Iterator

from PIL.JpegImagePlugin import MARKER

from contracts.errors import ImageTooBig
from services.imaging.engine.safety import tiff_tags
from services.imaging.engine.safety.tiff_tags import Layout

_MAX_SEGMENTS = 10_000
_MAX_JUNK = 65_536  # bytes between segments; cameras leave a few
_MAX_TABLES = 65_536  # bytes of frame headers and quantization tables; a photograph has 300
_MAX_CHUNKS = 50_000

# A photograph has at most 10 scans. Each one passes over every pixel, and may be 14 bytes long.
_USUAL_SCANS = 20
_MAX_SCANNED_PIXELS = 500_000_000  # half a second

# ITU-T T.81, annex B: in coded pixels, FF begins a marker unless a zero or a restart code follows.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)  # SOF0 and SOF1
_WITHOUT_LENGTH = (0x01, 0xD8)
_STUFFED, _FILL = 0x00, 0xFF
# DQT and all SOF markers; C4, C8 and CC in the same range are others.
_TABLES = {0xDB, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323  # TIFF tags
# A small image may lie in one tile of a usual size, a large one in a tile a little larger.
_USUAL_TILE = 2048 * 2048
_MAX_TILE_RATIO = 2


def check_container(data: bytes) -> None:
    """Refuse a JPEG, PNG or TIFF in too many or too large parts; other formats pass.

    Raises ImageTooBig.
    """
    if data[:3] == b"\xff\xd8\xff":
        _check_segments(data)
    elif data[:4] == b"\x89PNG":
        _check_chunks(data)
    elif data[:2] in (b"II", b"MM"):
        tiff_tags.check_tiff(data)
        _check_tiles(data)


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG of so many pixels whose scans take too long. Raises ImageTooBig."""
    most = max(_USUAL_SCANS, _MAX_SCANNED_PIXELS // pixels)
    if _has_one_scan(data):
        return
    # Counting bytes first is quick, but also counts those of a video or an image after the end.
    if data.count(bytes([0xFF, _SCAN])) > most and _count_scans(data, most) > most:
        raise ImageTooBig(f"The JPEG has more than {most} scans.")


def _check_segments(data: bytes) -> None:
    """Walk a JPEG up to its pixels as Pillow does: from any byte on to the next marker."""
    at, junk, tables = 2, 0, 0
    for _ in range(_MAX_SEGMENTS):
        found = data.find(b"\xff", at)
        if found < 0 or found + 1 >= len(data):
            found = len(data)
        junk += found - at
        if junk > _MAX_JUNK or tables > _MAX_TABLES:
            break
        if found == len(data):
            return
        marker, at = data[found + 1], found + 2
        if marker == _FILL:
            at -= 1
        elif marker == _STUFFED:
            junk += 2
        elif marker == _SCAN or 0xFF00 | marker not in MARKER:
            # Pillow stops here, too: the pixels follow, or a marker that it refuses.
            return
        elif MARKER[0xFF00 | marker][2] is not None:
            length = max(2, int.from_bytes(data[at : at + 2], "big"))
            tables += length if marker in _TABLES else 0
            at += length
    raise ImageTooBig(
        f"The JPEG has more than {_MAX_SEGMENTS:,} segments, or {_MAX_JUNK:,} bytes between "
        f"them, or {_MAX_TABLES:,} bytes of tables."
    )


def _check_chunks(data: bytes) -> None:
    at = 8
    for _ in range(_MAX_CHUNKS):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ImageTooBig(f"The PNG has more than {_MAX_CHUNKS:,} chunks.")


def _check_tiles(data: bytes) -> None:
    layout = Layout.of(data)
    values = {
        entry.tag: layout.value(data, entry) for entry in layout.entries(data, layout.first(data))
    }
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

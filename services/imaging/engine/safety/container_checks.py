"""How many pieces a file is in, and how large one is: judged before Pillow goes through them.

Pillow goes from one to the next in Python: 64 MB of the smallest take half a minute.
"""

import re
from collections.abc import Iterator

from PIL.JpegImagePlugin import MARKER

from contracts.errors import ImageTooBig
from services.imaging.engine.safety import tiff_tags
from services.imaging.engine.safety.tiff_tags import Layout

_MOST_SEGMENTS = 10_000
_MOST_JUNK = 65_536  # bytes between segments: cameras leave a few
_MOST_TABLES = 65_536  # bytes of frame headers and quantization tables; a photograph has 300
_MOST_CHUNKS = 50_000

# A photograph has 10 at most. Of more, each goes over every pixel again, and may be 14 bytes long.
_PLAIN_SCANS = 20
_MOST_SCANNED_PIXELS = 500_000_000  # half a second

# ITU-T T.81, annex B: after pixels, a marker is what is neither stuffed nor a restart.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_SEQUENTIAL = (0xC0, 0xC1)  # starts of frames that are not progressive
_ALONE = (0x01, 0xD8)  # no length follows
_STUFFED, _FILL = 0x00, 0xFF
# Quantization tables and starts of frames; three others are among these.
_TABLES = {0xDB, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
# A small image may lie in a tile of the usual size, a large one in one that is a little larger.
_PLAIN_TILE = 2048 * 2048
_MOST_TIMES = 2


def check_pieces(data: bytes) -> None:
    """Refuse a JPEG, PNG or TIFF in more or larger pieces than any writer makes.

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
    """Refuse a JPEG that goes over its pixels again and again. Raises ImageTooBig."""
    most = max(_PLAIN_SCANS, _MOST_SCANNED_PIXELS // pixels)
    if _is_one_scan(data):
        return
    # A film or another picture behind this one may look as if it had some, too.
    if data.count(bytes([0xFF, _SCAN])) > most and _scans(data, most) > most:
        raise ImageTooBig(f"The JPEG has more than {most} scans.")


def _check_segments(data: bytes) -> None:
    """Go through a JPEG as Pillow does: it looks for the next marker behind whatever it finds."""
    at, junk, tables = 2, 0, 0
    for _ in range(_MOST_SEGMENTS):
        found = data.find(b"\xff", at)
        if found < 0 or found + 1 >= len(data):
            found = len(data)
        junk += found - at
        if junk > _MOST_JUNK or tables > _MOST_TABLES:
            break
        if found == len(data):
            return
        marker, at = data[found + 1], found + 2
        if marker == _FILL:
            at -= 1
        elif marker == _STUFFED:
            junk += 2
        elif marker == _SCAN or 0xFF00 | marker not in MARKER:
            # The pixels, or the end of Pillow's patience.
            return
        elif MARKER[0xFF00 | marker][2] is not None:
            length = max(2, int.from_bytes(data[at : at + 2], "big"))
            tables += length if marker in _TABLES else 0
            at += length
    raise ImageTooBig(
        f"The JPEG has more than {_MOST_SEGMENTS:,} segments, or {_MOST_JUNK:,} bytes between "
        f"them, or {_MOST_TABLES:,} of tables."
    )


def _check_chunks(data: bytes) -> None:
    at = 8
    for _ in range(_MOST_CHUNKS):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ImageTooBig(f"The PNG has more than {_MOST_CHUNKS:,} chunks.")


def _check_tiles(data: bytes) -> None:
    layout = Layout.of(data)
    found = {
        entry.tag: layout.value(data, entry) for entry in layout.entries(data, layout.first(data))
    }
    tile = found.get(_TILE_WIDTH, 0) * found.get(_TILE_HEIGHT, 0)
    image = found.get(_WIDTH, 0) * found.get(_HEIGHT, 0)
    if tile > max(_PLAIN_TILE, _MOST_TIMES * image):
        raise ImageTooBig(f"The TIFF has tiles of {tile:,} pixels, and {image:,} in all.")


def _is_one_scan(data: bytes) -> bool:
    """Whether a decoder has all of a JPEG in its first scan, and refuses another."""
    components = b""
    for marker, at in _segments(data):
        if marker in _SEQUENTIAL:
            components = data[at + 7 : at + 8]
        elif marker == _SCAN:
            return components == data[at + 2 : at + 3]
    return False


def _scans(data: bytes, most: int) -> int:
    scans = 0
    for marker, _ in _segments(data):
        scans += marker == _SCAN
        if marker == _END or scans > most:
            break
    return scans


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker, and where what follows it begins, as libjpeg goes through a JPEG."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        yield marker, at
        if marker not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")

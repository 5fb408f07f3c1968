"""Walk the segments of a JPEG as Pillow does, before Pillow does it in Python.

ITU-T T.81, annex B. 64 MB of the smallest segments take Pillow half a minute. A segment beside the
pixels that Pillow would refuse the picture for is left out, and a coding that is not read is named.
"""

from PIL.JpegImagePlugin import MARKER

from contracts.errors import ImageTooBig, UnsupportedFormat

# Each limit is far above what any known writer produces.
_MAX_SEGMENTS = 10_000
_MAX_JUNK = 65_536  # bytes between segments; cameras leave a few
_MAX_TABLES = 65_536  # bytes of frame headers and quantization tables; a photograph has 300

_STUFFED, _FILL, _SCAN, _LS = 0x00, 0xFF, 0xDA, 0xF7
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # all SOF markers
_TABLES = _FRAMES | {0xDB}  # with DQT
_PROCESSES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA)  # baseline to lossless, and arithmetic coding
_BITS = 8
_COMPONENTS = (1, 3, 4)

# Segments whose first fields Pillow 13.0 reads without looking whether they are there, by marker:
# how the content begins, and the least length of the content.
_FIELDS = {0xE0: (b"JFIF", 7), 0xEE: (b"Adobe", 7), 0xE2: (b"ICC_PROFILE\0", 14)}


def clean(data: bytes) -> bytes:
    """Return a JPEG without the segments that Pillow would refuse it for; nearly always `data`.

    Raises ImageTooBig for too many or too large segments, and UnsupportedFormat.
    """
    at, junk, tables, kept_to = 2, 0, 0, 0
    parts: list[bytes] = []
    for _ in range(_MAX_SEGMENTS):
        found = data.find(b"\xff", at)
        if found < 0 or found + 1 >= len(data):
            found = len(data)
        junk += found - at
        if junk > _MAX_JUNK or tables > _MAX_TABLES:
            break
        if found == len(data):
            return data
        marker, at = data[found + 1], found + 2
        if marker == _FILL:
            at -= 1
        elif marker == _STUFFED:
            junk += 2
        elif marker == _SCAN or 0xFF00 | marker not in MARKER:
            # Pillow stops here, too: the pixels follow, or a marker that it refuses.
            return b"".join((*parts, data[kept_to:])) if parts else data
        elif marker == _LS:
            raise UnsupportedFormat("The file is a JPEG-LS; send a JPEG.")
        elif MARKER[0xFF00 | marker][2] is not None:
            length = max(2, int.from_bytes(data[at : at + 2], "big"))
            if marker in _FRAMES:
                _check_frame(marker, data[at + 2 : at + length])
            tables += length if marker in _TABLES else 0
            if _is_too_short(marker, data[at + 2 : at + length]):
                parts.append(data[kept_to:found])
                kept_to = at + length
            at += length
    raise ImageTooBig(
        f"The JPEG has more than {_MAX_SEGMENTS:,} segments, or {_MAX_JUNK:,} bytes between "
        f"them, or {_MAX_TABLES:,} bytes of tables."
    )


def _check_frame(marker: int, header: bytes) -> None:
    """Raise UnsupportedFormat for a frame that no decoder here reads."""
    if len(header) < 6:
        return
    if marker not in _PROCESSES:
        raise UnsupportedFormat(
            f"The JPEG is hierarchical, or lossless with arithmetic coding (SOF{marker - 0xC0}); "
            "send one that is baseline or progressive."
        )
    if header[0] != _BITS:
        raise UnsupportedFormat(f"The JPEG has {header[0]} bits a sample; {_BITS} are read.")
    if header[5] not in _COMPONENTS:
        raise UnsupportedFormat(f"The JPEG has {header[5]} components; 1, 3 and 4 are read.")


def _is_too_short(marker: int, content: bytes) -> bool:
    if marker not in _FIELDS:
        return False
    beginning, least = _FIELDS[marker]
    return len(content) < least and content.startswith(beginning)

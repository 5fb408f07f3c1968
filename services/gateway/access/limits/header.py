"""Sizes of images from their first bytes: what an upload costs, before a worker is asked."""

from io import BytesIO

import imagesize

from contracts.formats import Format, format_of_bytes
from contracts.operations.sizes import Size

HEAD = 64 << 10
"""Bytes of an image that are read. It bounds the time as well: 20 ms for the worst of them."""

_MOST = 1 << 30  # pixels of a side: more than any format has
_ANIMATED_WEBP = 0b10  # in byte 20, if the file begins with the chunk VP8X
_SEQUENCE = b"avis"


def size_of(head: bytes) -> Size | None:
    """Return width and height of a still image, as they are stored, from its first bytes.

    Returns None where they say nothing: for an unknown or damaged header, one that is longer than
    `HEAD`, a format that is not read here, and an image that may be animated, as the number of its
    frames is unknown. An AVIF may be animated whatever its first bytes say.
    """
    format = format_of_bytes(head)
    if format is None or _may_be_animated(format, head):
        return None
    # It answers (-1, -1) for whatever it can't read.
    width, height = imagesize.get(BytesIO(head), exif_rotation=False)
    if 0 < width < _MOST and 0 < height < _MOST:
        return int(width), int(height)
    return None


def _may_be_animated(format: Format, head: bytes) -> bool:
    match format:
        case Format.GIF | Format.AVIF:
            return True
        case Format.PNG:
            return b"acTL" in head
        case Format.WEBP:
            return head[12:16] == b"VP8X" and bool(head[20:21] and head[20] & _ANIMATED_WEBP)
        case Format.HEIF:
            return _SEQUENCE in head[8:64]
        case _:
            return False

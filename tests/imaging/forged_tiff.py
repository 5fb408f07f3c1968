"""TIFF files and EXIF built byte by byte, which no normal writer produces."""

import struct

from tests.imaging.forged import deflated_zeros, jpeg
from tests.imaging.pictures import encoded, quadrants

Entry = tuple[int, int, int, int]
"""Tag, field type, count, and value or offset."""


def tiff(*entries: Entry, following: int = 0) -> bytes:
    """A TIFF of one directory, at offset 8; `following` is the offset of the next."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    directory = struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory


def gray(width: int, height: int, *more: Entry, compression: int = 1) -> list[Entry]:
    """The entries of a gray image, and more."""
    shape = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1)]
    return [*shape, (259, 3, 1, compression), *more]


def of_one_strip(compression: int, data: bytes, width: int, height: int) -> bytes:
    """A gray TIFF whose only strip is this data."""
    entries = gray(
        width, height, (273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, len(data)),
        compression=compression,
    )  # fmt: skip
    return _padded(tiff(*entries), 200) + data


def of_floats(width: int, height: int) -> bytes:
    """A deflated TIFF of zeros in colour, of 32 bits a sample."""
    packed = deflated_zeros(-(-12 * width * height >> 20) + 1)
    shape = (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 32), (259, 3, 1, 8)
    samples = (262, 3, 1, 2), (277, 3, 1, 3), (339, 3, 1, 3)
    strip = (273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, len(packed))
    return _padded(tiff(*shape, *samples, *strip), 200) + packed


def of_one_tile(side: int) -> bytes:
    """A deflated TIFF of 8 x 8 pixels in one larger tile."""
    packed = deflated_zeros(side * side >> 20)
    tile = (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 200), (325, 4, 1, len(packed))
    return _padded(tiff(*gray(8, 8, *tile, compression=8)), 200) + packed


def of_many_strips(rows: int) -> bytes:
    """A TIFF one pixel wide, each row a strip of its own with an offset and a length."""
    pixels = 200 + 8 * rows
    more = (273, 4, rows, 200), (278, 4, 1, 1), (279, 4, rows, 200 + 4 * rows)
    whole = _padded(tiff(*gray(1, rows, *more)), 200)
    return whole + struct.pack("<I", pixels) * rows + struct.pack("<I", 1) * rows + b"\0"


def of_many_directories(count: int) -> bytes:
    """A TIFF whose directories, of one entry and 18 bytes each, form a chain."""
    one = struct.pack("<HHHII", 1, 256, 4, 1, 8)
    linked = (one + struct.pack("<I", 8 + 18 * number) for number in range(1, count))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(linked) + one + bytes(4)


def with_long_tag(tag: int, kind: int) -> bytes:
    """A gray TIFF one of whose tags has 8 MB of values."""
    width = {3: 2, 5: 8}[kind]
    more = (273, 4, 1, 200), (279, 4, 1, 64), (tag, kind, (8 << 20) // width, 264)
    return _padded(tiff(*gray(8, 8, *more)), 264 + (8 << 20))


def big_tiff_with_many_tags(entries: int) -> bytes:
    """A BigTIFF with tags of no known type."""
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, entries)
    return head + struct.pack("<HHQQ", 1, 99, 0, 0) * entries + bytes(8)


def exif_within_itself(tag: int) -> bytes:
    """EXIF whose inner directory, of this tag, is the outer one."""
    return b"Exif\0\0" + tiff((tag, 4, 1, 8), (0x0112, 3, 1, 6), following=8)


def exif_with_many_tags(entries: int) -> bytes:
    """EXIF whose tags each claim 4 GB of text past the end."""
    tags = [(number, 2, 0xFFFFFFF0, 0xFFFFFF) for number in range(entries)]
    return b"Exif\0\0" + tiff(*tags)


def exif_of_fractions(megabytes: int, tag: int = 0x0112) -> bytes:
    """EXIF with one tag, by default the orientation, of so many megabytes of fractions."""
    return tiff((tag, 5, megabytes << 17, 26)) + bytes(megabytes << 20)


def jpeg_with_exif(exif: bytes) -> bytes:
    """A JPEG with EXIF in as many segments as it takes; Pillow joins them."""
    parts = (exif[at : at + 65_000] for at in range(0, len(exif), 65_000))
    return jpeg(*((0xE1, b"Exif\0\0" + part) for part in parts))


def avif_with_fractions() -> bytes:
    """An AVIF whose orientation is 3 MB of fractions."""
    # Saved as a maker note, which Pillow does not parse, and changed afterwards.
    harmless = tiff((0x927C, 7, 3 << 20, 26)) + bytes(3 << 20)
    whole = encoded(quadrants(16, 16), "AVIF", exif=harmless)
    return whole.replace(harmless[:26], exif_of_fractions(3)[:26])


def _padded(data: bytes, length: int) -> bytes:
    return data + bytes(length - len(data))

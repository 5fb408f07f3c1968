"""Crafted files whose few bytes are read many times: shared by stages, strips, tiles or frames."""

import struct
import zlib

from PIL import Image

from tests.imaging import forged, forged_tiff
from tests.imaging.pictures import encoded

PROFILE_HEADER = 128


def png_with_float_stages(count: int) -> bytes:
    """A PNG with an ICC profile whose tag D2B0 has one matrix, as so many stages."""
    # Matrices that change nothing would be left out.
    numbers = (1, 0.01, 0, 0, 1, 0, 0, 0.01, 1, 0, 0, 0)
    matrix = b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, *numbers)
    place = struct.pack(">II", 16 + 8 * count, len(matrix))
    tag = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + place * count + matrix
    table = struct.pack(">I4sII", 1, b"D2B0", PROFILE_HEADER + 16, len(tag))
    size = struct.pack(">I", PROFILE_HEADER + len(table) + len(tag))
    header = size + bytes(4) + struct.pack(">I", 0x04400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    profile = header.ljust(PROFILE_HEADER, b"\0") + table + tag
    return encoded(Image.new("RGB", (8, 8), "red"), "PNG", icc_profile=profile)


def png_with_broken_packets(count: int) -> bytes:
    """A PNG with XMP packets that unpack to more than a megabyte each."""
    packet = b"XML:com.adobe.xmp\0\1\0\0\0" + forged.deflated_zeros(2)
    return forged.png(*[forged.chunk(b"iTXt", packet)] * count)


def apng_with_long_head(name: bytes, frames: int) -> bytes:
    """An APNG of one pixel a frame, with 20 MB in its header or in its palette."""
    header, filler = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), bytes(20 << 20)
    head = forged.chunk(b"IHDR", header + (filler if name == b"IHDR" else b""))
    if name == b"PLTE":
        head += forged.chunk(b"PLTE", filler)
    pixel = zlib.compress(bytes(4))
    shown = [forged.chunk(b"acTL", struct.pack(">II", frames, 0))]
    for number in range(frames):
        sequence = max(0, 2 * number - 1)
        control = struct.pack(">5I2H2B", sequence, 1, 1, 0, 0, 1, 10, 0, 0)
        body = struct.pack(">I", sequence + 1) + pixel
        shown.append(forged.chunk(b"fcTL", control))
        shown.append(forged.chunk(b"fdAT", body) if number else forged.chunk(b"IDAT", pixel))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *shown, forged.chunk(b"IEND", b"")))


def tiff_of_one_strip_for_each_row(rows: int) -> bytes:
    """A gray TIFF one pixel wide whose strips all are the same megabyte of empty blocks."""
    strip = b"\x78\x9c" + b"\0\0\0\xff\xff" * 200_000 + b"\1\1\0\xfe\xff\0\0\1\0\1"
    at = 200 + 8 * rows
    shape = forged_tiff.gray(
        1, rows, (273, 4, rows, 200), (278, 4, 1, 1), (279, 4, rows, 200 + 4 * rows), compression=8
    )
    places = struct.pack("<I", at) * rows + struct.pack("<I", len(strip)) * rows
    return forged_tiff.tiff(*shape).ljust(200, b"\0") + places + strip


def tiff_of_tall_tiles(tiles: int, height: int) -> bytes:
    """A TIFF one pixel high, of signed samples in tiles of one column that are much taller."""
    packed = forged.deflated_zeros(1)
    at = 200 + 8 * tiles
    more = [
        *((256, 4, 1, tiles), (257, 4, 1, 1), (258, 3, 1, 16), (259, 3, 1, 8), (262, 3, 1, 1)),
        *((322, 4, 1, 1), (323, 4, 1, height), (339, 3, 1, 2)),
        *((324, 4, tiles, 200), (325, 4, tiles, 200 + 4 * tiles)),
    ]
    places = struct.pack("<I", at) * tiles + struct.pack("<I", len(packed)) * tiles
    return forged_tiff.tiff(*more).ljust(200, b"\0") + places + packed

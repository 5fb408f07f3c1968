"""Files made to hurt: refused or rendered at once, in a process of their own with little memory."""

import multiprocessing
import resource
import struct
import time
import zlib
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest
from PIL import Image

from contracts.errors import ImageUnreadable, ServiceError
from contracts.operations import Pipeline
from services.imaging import codecs, inspection, pipeline
from services.imaging.limits import DEFAULT_LIMITS
from services.imaging.source import open_source
from tests.imaging.pictures import encoded, png_claiming, quadrants

SECONDS = 1.0  # of work, for a render and an inspection together
MEGABYTES = 300  # resident, the libraries' 60 included

REFUSED = {"image_unreadable", "image_too_big", "unsupported_format"}
ANYTHING = REFUSED | {"done"}


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(bytes(9) * 8))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + _chunk(b"IEND", b"")


def _blown(megabytes: int) -> bytes:
    """So many megabytes of nothing, compressed."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunks_of(webp: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 12
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        found.append((webp[at : at + 4], webp[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _extended(side: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    bounds = (side - 1).to_bytes(3, "little") * 2
    return b"VP8X", bytes([flags, 0, 0, 0]) + bounds


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _nested(name: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = _box(name, body)
    return body


def _claiming(format: str, width: int, height: int) -> bytes:
    """A small AVIF or HEIF whose header says this size."""
    data = bytearray(encoded(quadrants(16, 16), format))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def _jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A small JPEG with segments after its first two bytes."""
    whole = encoded(quadrants(16, 16), "JPEG")
    added = (struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments)
    return whole[:2] + b"".join(added) + whole[2:]


def _jpeg_claiming(side: int) -> bytes:
    data = bytearray(encoded(quadrants(16, 16), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def _many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that has its last scan again and again."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def _many_plain_scans(side: int, scans: int) -> bytes:
    """A JPEG whose one channel comes again and again, where a second is said to follow."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG")
    frame, last = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    header = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, side, side, 3)
    channels = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    behind = frame + 2 + int.from_bytes(whole[frame + 2 : frame + 4], "big")
    head = whole[:frame] + header + channels + whole[behind:last]
    return head + whole[last:-2] * scans + b"\xff\xd9"


def _gif(*blocks: bytes, side: int = 8) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6) + b"".join(blocks)


def _gif_frame(side: int, data: bytes) -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2" + data


def _gif_bytewise(length: int) -> bytes:
    # Code 4 clears the table, and draws nothing.
    return _gif(_gif_frame(8, b"\1\x24" * length + b"\0"), b";")


def _tiff(*entries: tuple[int, int, int, int], following: int = 0, rest: bytes = b"") -> bytes:
    """One directory, at byte 8, of entries of tag, type, count and value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    directory = struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + rest


def _tiff_of(
    width: int, height: int, *more: tuple[int, int, int, int], compression: int = 1
) -> list[tuple[int, int, int, int]]:
    shape = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1)]
    return [*shape, (259, 3, 1, compression), *more]


def _strip(compression: int, data: bytes, width: int, height: int) -> bytes:
    """A gray TIFF of one strip."""
    entries = _tiff_of(
        width, height, (273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, len(data)),
        compression=compression,
    )  # fmt: skip
    whole = _tiff(*entries)
    return whole + bytes(200 - len(whole)) + data


def _tiff_chain(directories: int) -> bytes:
    # Each has one entry, and takes 18 bytes.
    one = struct.pack("<HHHII", 1, 256, 4, 1, 8)
    links = (one + struct.pack("<I", 8 + 18 * number) for number in range(1, directories))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(links) + one + bytes(4)


def _exif_loop(tag: int) -> bytes:
    """EXIF with a directory that is its own."""
    return b"Exif\0\0" + _tiff((tag, 4, 1, 8), (0x0112, 3, 1, 6), following=8)


def _exif_crowd(entries: int) -> bytes:
    crowd = [(number, 2, 0xFFFFFFF0, 0xFFFFFF) for number in range(entries)]
    return b"Exif\0\0" + _tiff(*crowd)


def _exif_fractions(megabytes: int, tag: int = 0x0112) -> bytes:
    """EXIF with a tag, the orientation for one, that is so many megabytes of fractions."""
    return _tiff((tag, 5, megabytes << 17, 26)) + bytes(megabytes << 20)


def _jpeg_exif(exif: bytes) -> bytes:
    """In as many segments as it takes: Pillow puts them together."""
    parts = (exif[at : at + 65_000] for at in range(0, len(exif), 65_000))
    return _jpeg(*((0xE1, b"Exif\0\0" + part) for part in parts))


def _avif_exif() -> bytes:
    # Written as a maker's notes: Pillow would read it to write it.
    harmless = _tiff((0x927C, 7, 3 << 20, 26)) + bytes(3 << 20)
    whole = encoded(quadrants(16, 16), "AVIF", exif=harmless)
    return whole.replace(harmless[:26], _exif_fractions(3)[:26])


def _tiff_fractions(tag: int, kind: int) -> bytes:
    """A TIFF one of whose tags has 8 MB of values."""
    width = {3: 2, 5: 8}[kind]
    more = (273, 4, 1, 200), (279, 4, 1, 64), (tag, kind, (8 << 20) // width, 264)
    whole = _tiff(*_tiff_of(8, 8, *more))
    return whole + bytes(264 + (8 << 20) - len(whole))


def _big_tiff_crowd(entries: int) -> bytes:
    """A BigTIFF with tags of no known type."""
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, entries)
    return head + struct.pack("<HHQQ", 1, 99, 0, 0) * entries + bytes(8)


def _one_tile(side: int) -> bytes:
    """A deflated TIFF of 8 x 8 pixels, in one tile of so many a side."""
    packed = _blown(side * side >> 20)
    tile = (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 200), (325, 4, 1, len(packed))
    whole = _tiff(*_tiff_of(8, 8, *tile, compression=8))
    return whole + bytes(200 - len(whole)) + packed


def _strips(rows: int) -> bytes:
    """A TIFF of one pixel by so many, each in a strip of its own, with two values for each."""
    places = 200 + 8 * rows
    more = (273, 4, rows, 200), (278, 4, 1, 1), (279, 4, rows, 200 + 4 * rows)
    whole = _tiff(*_tiff_of(1, rows, *more))
    lengths = struct.pack("<I", 1) * rows
    return whole + bytes(200 - len(whole)) + struct.pack("<I", places) * rows + lengths + b"\0"


def _jpeg_before(junk: bytes) -> bytes:
    """A small JPEG with this after its first two bytes."""
    whole = _jpeg()
    return whole[:2] + junk + whole[2:]


def _webp_moving(frames: int) -> bytes:
    picture = dict(_chunks_of(encoded(Image.new("RGB", (8, 8)), "WEBP")))[b"VP8 "]
    inner = b"VP8 " + struct.pack("<I", len(picture)) + picture
    control = bytes(6) + (7).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0"
    many = [(b"ANMF", control + inner)] * frames
    return _riff(_extended(8, flags=2), (b"ANIM", bytes(6)), *many)


def _webp_with(*chunks: tuple[bytes, bytes], flags: int = 0) -> bytes:
    return _riff(
        _extended(8, flags=flags), *_chunks_of(encoded(Image.new("RGB", (8, 8)), "WEBP")), *chunks
    )


def _jxl_claiming(side: int) -> bytes:
    # Not small, 30 bits of a side, no ratio: ISO/IEC 18181-1, annex D.2.
    bits, at = 0, 0
    for value, width in ((0, 1), (3, 2), (side - 1, 30), (0, 3), (3, 2), (side - 1, 30)):
        bits |= value << at
        at += width
    return b"\xff\x0a" + bits.to_bytes(16, "little")


def _jxl_boxes(*boxes: bytes) -> bytes:
    head = b"\0\0\0\x0cJXL \r\n\x87\n" + _box(b"ftyp", b"jxl \0\0\0\0jxl ")
    codestream = encoded(quadrants(16, 16), "JXL")
    return head + b"".join(boxes) + _box(b"jxlc", codestream)


def _before_meta(data: bytes, added: bytes) -> bytes:
    """A file of boxes with more of them after the first, which says what it is."""
    end = int.from_bytes(data[:4], "big")
    return data[:end] + added + data[end:]


def _small(format: str) -> bytes:
    return encoded(quadrants(16, 16), format)


def _webp_blank(width: int, height: int) -> bytes:
    """A lossless WebP of one colour: RFC 9649, section 3.4, and codes of one symbol each."""
    size = width - 1 | height - 1 << 14
    return _riff((b"VP8L", b"\x2f" + size.to_bytes(4, "little") + bytes.fromhex("88880800")))


def _blank(format: str, width: int, height: int, **options: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), "white"), format, **options)


def _larger_than_it_says(format: str) -> bytes:
    data = bytearray(encoded(Image.new("RGB", (3000, 3000)), format))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 16, 16)
    return bytes(data)


def _grown_gif(side: int) -> bytes:
    """A GIF of one pixel, and then of more than its header says."""
    see_through = b"!\xf9\4\1\0\0\0\0"
    # Clear, one pixel, the end.
    first, grown = (see_through + _gif_frame(one, b"\2\x44\1\0") for one in (1, side))
    return _gif(first, grown, b";", side=1)


def _grown_apng(side: int) -> bytes:
    def frame(number: int, across: int) -> bytes:
        return _chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, across, across, 0, 0, 1, 1, 0, 0))

    still = _png(_chunk(b"acTL", struct.pack(">II", 2, 0)), frame(0, 8))[:-12]
    grown = _chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(1000)))
    return still + frame(1, side) + grown + _chunk(b"IEND", b"")


def _still_frames(frames: int) -> bytes:
    control = [
        _chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 8, 8, 0, 0, 1, 1, 0, 0))
        for number in range(frames)
    ]
    return _png(_chunk(b"acTL", struct.pack(">II", frames, 0)), *control)


_TEXT = b"words\0\0"

BOMBS: dict[str, tuple[set[str], Callable[[], bytes]]] = {
    # A canvas that no one paints.
    "a PNG of 2 billion pixels a side": (REFUSED, lambda: png_claiming(2**31 - 1, 2**31 - 1)),
    "a JPEG of 65,500 a side": (REFUSED, lambda: _jpeg_claiming(65_500)),
    "a GIF of 65,535 a side": (REFUSED, lambda: _gif(_gif_frame(8, b"\2\x44\1\0"), side=65_535)),
    "a GIF's frame of 65,535 a side": (REFUSED, lambda: _gif(_gif_frame(65_535, b"\0"), b";")),
    "a GIF that grows": (ANYTHING, lambda: _grown_gif(13_000)),
    "an APNG that grows": (ANYTHING, lambda: _grown_apng(60_000)),
    "a WebP of 16,384 a side": (REFUSED, lambda: _riff(_extended(16_384), (b"VP8 ", b""))),
    "a WebP of 16 million a side": (REFUSED, lambda: _riff(_extended(1 << 24), (b"VP8 ", b""))),
    "a lossless WebP of 16,384 a side": (
        REFUSED,
        lambda: _riff((b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(40))),
    ),
    "an AVIF of 60,000 a side": (REFUSED, lambda: _claiming("AVIF", 60_000, 60_000)),
    "an AVIF of 2 billion a side": (REFUSED, lambda: _claiming("AVIF", 2**31, 2**31)),
    "a HEIF of 60,000 a side": (REFUSED, lambda: _claiming("HEIF", 60_000, 60_000)),
    "a JXL of a billion a side": (REFUSED, lambda: _jxl_claiming(2**30)),
    "a TIFF of a million a side": (REFUSED, lambda: _tiff(*_tiff_of(10**6, 10**6))),
    "a TIFF of 4 billion a side": (REFUSED, lambda: _tiff(*_tiff_of(2**32 - 1, 2**32 - 1))),
    "a WebP of 98 million pixels in 30 bytes": (REFUSED, lambda: _webp_blank(16_383, 6_000)),
    "a JXL of 96 million pixels": (REFUSED, lambda: _blank("JXL", 12_000, 8_000, effort=1)),
    "a PNG of 36 million blank pixels": (REFUSED, lambda: _blank("PNG", 6_000, 6_000)),
    "a PNG of one by 99 million": (REFUSED, lambda: png_claiming(1, 99_000_000)),
    # Frames.
    "a GIF of 20,000 frames": (
        REFUSED,
        lambda: _gif(*[_gif_frame(8, b"\2\x44\1\0")] * 20_000, b";"),
    ),
    "an APNG that claims 2 billion frames": (
        ANYTHING,
        lambda: _png(_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    ),
    "an APNG of 400 frames before its pixels": (ANYTHING, lambda: _still_frames(400)),
    "a WebP of 20,000 frames": (REFUSED, lambda: _webp_moving(20_000)),
    "a TIFF of 50,000 directories": (REFUSED, lambda: _tiff_chain(50_000)),
    "an MPO of 500 pictures": (
        ANYTHING,
        lambda: encoded(
            Image.new("L", (8, 8)),
            "MPO",
            save_all=True,
            append_images=[Image.new("L", (8, 8))] * 500,
        ),
    ),
    # Chunks and boxes: large ones, many, one in the other.
    "a PNG with a gigabyte of text": (
        ANYTHING,
        lambda: _png(_chunk(b"zTXt", _TEXT + _blown(1000))),
    ),
    "a PNG with 200 texts of a megabyte": (
        ANYTHING,
        lambda: _png(*[_chunk(b"zTXt", _TEXT + _blown(1))] * 200),
    ),
    "a PNG with a gigabyte of profile": (
        ANYTHING,
        lambda: _png(_chunk(b"iCCP", _TEXT + _blown(1000))),
    ),
    "a PNG with 700,000 chunks": (REFUSED, lambda: _png(*[_chunk(b"teSt", b"")] * 700_000)),
    "a PNG with a chunk longer than itself": (
        ANYTHING,
        lambda: _png(struct.pack(">I", 2**31 - 1) + b"tEXt"),
    ),
    "a PNG with 20 MB of EXIF": (
        ANYTHING,
        lambda: _png(_chunk(b"eXIf", b"II*\0" + bytes(20 << 20))),
    ),
    "a WebP with 50,000 chunks": (ANYTHING, lambda: _webp_with(*[(b"test", b"")] * 50_000)),
    "a WebP with 20 MB of EXIF": (
        ANYTHING,
        lambda: _webp_with((b"EXIF", b"II*\0" + bytes(20 << 20)), flags=8),
    ),
    "a WebP with 20 MB of XMP": (
        ANYTHING,
        lambda: _webp_with((b"XMP ", b"<" * (20 << 20)), flags=4),
    ),
    "an AVIF with 10,000 boxes in each other": (
        ANYTHING,
        lambda: _before_meta(_small("AVIF"), _nested(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 boxes in each other": (
        ANYTHING,
        lambda: _before_meta(_small("HEIF"), _nested(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 lists in each other": (
        ANYTHING,
        lambda: _before_meta(_small("HEIF"), _nested(b"iprp", 10_000)),
    ),
    "an AVIF with 50,000 boxes": (
        ANYTHING,
        lambda: _before_meta(_small("AVIF"), _box(b"free", b"") * 50_000),
    ),
    "a HEIF with 50,000 boxes": (
        ANYTHING,
        lambda: _before_meta(_small("HEIF"), _box(b"free", b"") * 50_000),
    ),
    "a JXL with 50,000 boxes": (ANYTHING, lambda: _jxl_boxes(*[_box(b"test", b"")] * 50_000)),
    "a JXL with 10,000 boxes in each other": (
        ANYTHING,
        lambda: _jxl_boxes(_nested(b"test", 10_000)),
    ),
    # Headers that lie.
    "a PNG of 9,000 a side with nothing in it": (REFUSED, lambda: png_claiming(9_000, 9_000)),
    "a JPEG of 9,000 a side with 16 in it": (ANYTHING, lambda: _jpeg_claiming(9_000)),
    "an AVIF that is larger than it says": (ANYTHING, lambda: _larger_than_it_says("AVIF")),
    "a HEIF that is larger than it says": (ANYTHING, lambda: _larger_than_it_says("HEIF")),
    "a WebP that is larger than it says": (
        ANYTHING,
        lambda: _riff(_extended(8), *_chunks_of(encoded(Image.new("RGB", (3000, 3000)), "WEBP"))),
    ),
    "a TIFF with a strip of 4 GB": (
        ANYTHING,
        lambda: _tiff(*_tiff_of(8, 8, (273, 4, 1, 8), (279, 4, 1, 2**32 - 1))),
    ),
    "a TIFF with tiles of a billion a side": (
        REFUSED,
        lambda: _tiff(
            *_tiff_of(8, 8, (322, 4, 1, 2**30), (323, 4, 1, 2**30), (324, 4, 1, 8), (325, 4, 1, 99))
        ),
    ),
    # Work.
    "a JPEG of 3,000 scans": (REFUSED, lambda: _many_scans(2_000, 3_000)),
    "a plain JPEG of 300 scans": (REFUSED, lambda: _many_plain_scans(2_000, 300)),
    "a JPEG with a film of 3,000 scans behind it": (
        {"done"},
        lambda: encoded(Image.new("L", (2_000, 2_000)), "JPEG") + b"\xff\xda" * 3_000,
    ),
    "a small JPEG of 20,000 scans": (ANYTHING, lambda: _many_scans(64, 20_000)),
    "a JPEG with a megabyte of fill": (
        REFUSED,
        lambda: _jpeg()[:2] + b"\xff" * (1 << 20) + _jpeg()[2:],
    ),
    "a JPEG with 50,000 comments": (REFUSED, lambda: _jpeg(*[(0xFE, b"")] * 50_000)),
    "a JPEG with 16 MB of profile": (
        ANYTHING,
        lambda: _jpeg(
            *((0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 255]) + bytes(65_000)) for n in range(255))
        ),
    ),
    "a JPEG with 60 MB of nothing": (REFUSED, lambda: _jpeg_before(b"\xff\0" + bytes(60 << 20))),
    "a JPEG with a million comments behind a little": (
        REFUSED,
        lambda: _jpeg_before(b"\xff\0\0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with a million comments in what has no length": (
        REFUSED,
        lambda: _jpeg_before(b"\xff\xf0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with 20 MB of tables": (
        REFUSED,
        lambda: _jpeg(*[(0xDB, bytes(65 * 1000))] * 320),
    ),
    "a JPEG with 20 MB of frame headers": (
        REFUSED,
        lambda: _jpeg(*[(0xC0, b"\10\0\20\0\20\3" + bytes(60_000))] * 330),
    ),
    "a GIF in blocks of one byte": (REFUSED, lambda: _gif_bytewise(2_000_000)),
    "a GIF just under the blocks allowed": (ANYTHING, lambda: _gif_bytewise(490_000)),
    "a deflated TIFF strip of 500 MB": (ANYTHING, lambda: _strip(8, _blown(500), 64, 64)),
    "an LZW TIFF strip of clear codes": (
        ANYTHING,
        lambda: _strip(5, b"\x80\x40\x20\x10\x08\x04\x02\x01\x00" * 100_000, 900, 900),
    ),
    "a TIFF of 8 a side in a tile of 16,384": (REFUSED, lambda: _one_tile(16_384)),
    "a TIFF of 400,000 strips": (REFUSED, lambda: _strips(400_000)),
    # Tags.
    "a WebP that lies as 8 MB say": (
        REFUSED,
        lambda: _webp_with((b"EXIF", _exif_fractions(8)), flags=8),
    ),
    "a WebP that lies as 2 MB say": (
        REFUSED,
        lambda: _webp_with((b"EXIF", _exif_fractions(2)), flags=8),
    ),
    "a PNG that lies as 8 MB say": (REFUSED, lambda: _png(_chunk(b"eXIf", _exif_fractions(8)))),
    "a JPEG that lies as 8 MB say": (REFUSED, lambda: _jpeg_exif(_exif_fractions(8))),
    "a JPEG as fine as 8 MB say": (REFUSED, lambda: _jpeg_exif(_exif_fractions(8, tag=282))),
    "an AVIF that lies as 3 MB say": (REFUSED, _avif_exif),
    "a TIFF that lies as 8 MB say": (REFUSED, lambda: _tiff_fractions(274, 5)),
    "a TIFF as fine as 8 MB say": (REFUSED, lambda: _tiff_fractions(282, 5)),
    "a TIFF with 4 million kinds of samples": (REFUSED, lambda: _tiff_fractions(339, 3)),
    "a BigTIFF with 500,000 tags": (REFUSED, lambda: _big_tiff_crowd(500_000)),
    # What goes round and round.
    "a TIFF that follows itself": (ANYTHING, lambda: _tiff(*_tiff_of(8, 8), following=8)),
    "a TIFF that is its own EXIF": (
        ANYTHING,
        lambda: _tiff(*_tiff_of(8, 8, (0x8769, 4, 1, 8), (0x14A, 4, 1, 8)), following=8),
    ),
    "a TIFF with tags of 4 billion values": (
        REFUSED,
        lambda: _tiff(*_tiff_of(8, 8, (700, 1, 2**32 - 1, 8), (33_432, 2, 2**32 - 1, 8))),
    ),
    "EXIF that is in itself": (ANYTHING, lambda: _jpeg((0xE1, _exif_loop(0x8769)))),
    "EXIF whose place is itself": (ANYTHING, lambda: _jpeg((0xE1, _exif_loop(0x8825)))),
    "EXIF of 5,000 huge values": (ANYTHING, lambda: _jpeg((0xE1, _exif_crowd(5_000)))),
}

KEEPING = Pipeline.model_validate(
    {
        "operations": [{"op": "resize", "width": 64}],
        "output": {"format": "webp", "metadata": "keep", "icc": "keep"},
    }
)


def detonate(data: bytes, told: Connection) -> None:
    """Render, look at and tell of it: what came out, seconds of work and megabytes."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    outcomes, slowest = [], 0.0
    for attempt in (
        lambda: pipeline.run(data, KEEPING),
        lambda: inspection.examine(data, place=True),
    ):
        started = time.process_time()
        try:
            attempt()
            outcomes.append("done")
        except ServiceError as exc:
            outcomes.append(exc.code.value)
        slowest = max(slowest, time.process_time() - started)
    told.send((outcomes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@pytest.fixture(scope="module")
def fresh() -> ForkServerContext:
    # Each process is new, but for what it would import first.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imaging.test_bombs"])
    return context


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_goes_off_quietly(name: str, fresh: ForkServerContext) -> None:
    allowed, made = BOMBS[name]
    told, telling = fresh.Pipe(duplex=False)
    process = fresh.Process(target=detonate, args=(made(), telling))
    process.start()
    telling.close()
    try:
        outcomes, seconds, megabytes = told.recv()
    except EOFError:
        process.join()
        pytest.fail(f"The process died of it: exit {process.exitcode}")
    process.join()

    assert set(outcomes) <= allowed
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


def test_a_frame_larger_than_its_image_is_refused_before_it_is_decoded() -> None:
    source = open_source(_grown_gif(13_000), DEFAULT_LIMITS)

    with pytest.raises(ImageUnreadable, match="Frame 2 is larger"):
        codecs.decode_frame(source, 1)

"""Files put together by hand: what no writer would write."""

import struct
import zlib

from PIL import Image

from tests.imaging.pictures import encoded, quadrants


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(9) * 8))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def blown(megabytes: int) -> bytes:
    """So many megabytes of nothing, compressed."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def chunks_of(webp: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 12
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        found.append((webp[at : at + 4], webp[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def extended(side: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    bounds = (side - 1).to_bytes(3, "little") * 2
    return b"VP8X", bytes([flags, 0, 0, 0]) + bounds


def box(name: bytes, *content: bytes) -> bytes:
    """Of ISO/IEC 14496-12."""
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + name + body


def nested(name: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(name, body)
    return body


def claiming(format: str, width: int, height: int) -> bytes:
    """A small AVIF or HEIF whose header says this size."""
    data = bytearray(encoded(quadrants(16, 16), format))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A small JPEG with segments after its first two bytes."""
    whole = encoded(quadrants(16, 16), "JPEG")
    added = (struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments)
    return whole[:2] + b"".join(added) + whole[2:]


def jpeg_claiming(side: int) -> bytes:
    data = bytearray(encoded(quadrants(16, 16), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that has its last scan again and again."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def many_plain_scans(side: int, scans: int) -> bytes:
    """A JPEG whose one channel comes again and again, where a second is said to follow."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG")
    frame, last = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    header = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, side, side, 3)
    channels = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    behind = frame + 2 + int.from_bytes(whole[frame + 2 : frame + 4], "big")
    head = whole[:frame] + header + channels + whole[behind:last]
    return head + whole[last:-2] * scans + b"\xff\xd9"


def gif(*blocks: bytes, side: int = 8) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6) + b"".join(blocks)


def gif_frame(side: int, data: bytes) -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2" + data


def gif_bytewise(length: int) -> bytes:
    # Code 4 clears the table, and draws nothing.
    return gif(gif_frame(8, b"\1\x24" * length + b"\0"), b";")


def tiff(*entries: tuple[int, int, int, int], following: int = 0, rest: bytes = b"") -> bytes:
    """One directory, at byte 8, of entries of tag, type, count and value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    directory = struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + rest


def tiff_of(
    width: int, height: int, *more: tuple[int, int, int, int], compression: int = 1
) -> list[tuple[int, int, int, int]]:
    shape = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1)]
    return [*shape, (259, 3, 1, compression), *more]


def strip(compression: int, data: bytes, width: int, height: int) -> bytes:
    """A gray TIFF of one strip."""
    entries = tiff_of(
        width, height, (273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, len(data)),
        compression=compression,
    )  # fmt: skip
    whole = tiff(*entries)
    return whole + bytes(200 - len(whole)) + data


def tiff_chain(directories: int) -> bytes:
    # Each has one entry, and takes 18 bytes.
    one = struct.pack("<HHHII", 1, 256, 4, 1, 8)
    links = (one + struct.pack("<I", 8 + 18 * number) for number in range(1, directories))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(links) + one + bytes(4)


def exif_loop(tag: int) -> bytes:
    """EXIF with a directory that is its own."""
    return b"Exif\0\0" + tiff((tag, 4, 1, 8), (0x0112, 3, 1, 6), following=8)


def exif_crowd(entries: int) -> bytes:
    crowd = [(number, 2, 0xFFFFFFF0, 0xFFFFFF) for number in range(entries)]
    return b"Exif\0\0" + tiff(*crowd)


def exif_fractions(megabytes: int, tag: int = 0x0112) -> bytes:
    """EXIF with a tag, the orientation for one, that is so many megabytes of fractions."""
    return tiff((tag, 5, megabytes << 17, 26)) + bytes(megabytes << 20)


def jpeg_exif(exif: bytes) -> bytes:
    """In as many segments as it takes: Pillow puts them together."""
    parts = (exif[at : at + 65_000] for at in range(0, len(exif), 65_000))
    return jpeg(*((0xE1, b"Exif\0\0" + part) for part in parts))


def avif_exif() -> bytes:
    # Written as a maker's notes: Pillow would read it to write it.
    harmless = tiff((0x927C, 7, 3 << 20, 26)) + bytes(3 << 20)
    whole = encoded(quadrants(16, 16), "AVIF", exif=harmless)
    return whole.replace(harmless[:26], exif_fractions(3)[:26])


def tiff_fractions(tag: int, kind: int) -> bytes:
    """A TIFF one of whose tags has 8 MB of values."""
    width = {3: 2, 5: 8}[kind]
    more = (273, 4, 1, 200), (279, 4, 1, 64), (tag, kind, (8 << 20) // width, 264)
    whole = tiff(*tiff_of(8, 8, *more))
    return whole + bytes(264 + (8 << 20) - len(whole))


def big_tiff_crowd(entries: int) -> bytes:
    """A BigTIFF with tags of no known type."""
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, entries)
    return head + struct.pack("<HHQQ", 1, 99, 0, 0) * entries + bytes(8)


def one_tile(side: int) -> bytes:
    """A deflated TIFF of 8 x 8 pixels, in one tile of so many a side."""
    packed = blown(side * side >> 20)
    tile = (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 200), (325, 4, 1, len(packed))
    whole = tiff(*tiff_of(8, 8, *tile, compression=8))
    return whole + bytes(200 - len(whole)) + packed


def strips(rows: int) -> bytes:
    """A TIFF of one pixel by so many, each in a strip of its own, with two values for each."""
    places = 200 + 8 * rows
    more = (273, 4, rows, 200), (278, 4, 1, 1), (279, 4, rows, 200 + 4 * rows)
    whole = tiff(*tiff_of(1, rows, *more))
    lengths = struct.pack("<I", 1) * rows
    return whole + bytes(200 - len(whole)) + struct.pack("<I", places) * rows + lengths + b"\0"


def jpeg_before(junk: bytes) -> bytes:
    """A small JPEG with this after its first two bytes."""
    whole = jpeg()
    return whole[:2] + junk + whole[2:]


def webp_moving(frames: int) -> bytes:
    picture = dict(chunks_of(encoded(Image.new("RGB", (8, 8)), "WEBP")))[b"VP8 "]
    inner = b"VP8 " + struct.pack("<I", len(picture)) + picture
    control = bytes(6) + (7).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0"
    many = [(b"ANMF", control + inner)] * frames
    return riff(extended(8, flags=2), (b"ANIM", bytes(6)), *many)


def webp_with(*chunks: tuple[bytes, bytes], flags: int = 0) -> bytes:
    return riff(
        extended(8, flags=flags), *chunks_of(encoded(Image.new("RGB", (8, 8)), "WEBP")), *chunks
    )


def jxl_claiming(side: int) -> bytes:
    # Not small, 30 bits of a side, no ratio: ISO/IEC 18181-1, annex D.2.
    bits, at = 0, 0
    for value, width in ((0, 1), (3, 2), (side - 1, 30), (0, 3), (3, 2), (side - 1, 30)):
        bits |= value << at
        at += width
    return b"\xff\x0a" + bits.to_bytes(16, "little")


def jxl_boxes(*boxes: bytes) -> bytes:
    head = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    codestream = encoded(quadrants(16, 16), "JXL")
    return head + b"".join(boxes) + box(b"jxlc", codestream)


def before_meta(data: bytes, added: bytes) -> bytes:
    """A file of boxes with more of them after the first, which says what it is."""
    end = int.from_bytes(data[:4], "big")
    return data[:end] + added + data[end:]


def small(format: str) -> bytes:
    return encoded(quadrants(16, 16), format)


def webp_blank(width: int, height: int) -> bytes:
    """A lossless WebP of one colour: RFC 9649, section 3.4, and codes of one symbol each."""
    size = width - 1 | height - 1 << 14
    return riff((b"VP8L", b"\x2f" + size.to_bytes(4, "little") + bytes.fromhex("88880800")))


def blank(format: str, width: int, height: int, **options: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), "white"), format, **options)


def larger_than_it_says(format: str) -> bytes:
    data = bytearray(encoded(Image.new("RGB", (3000, 3000)), format))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 16, 16)
    return bytes(data)


def grown_gif(side: int) -> bytes:
    """A GIF of one pixel, and then of more than its header says."""
    see_through = b"!\xf9\4\1\0\0\0\0"
    # Clear, one pixel, the end.
    first, grown = (see_through + gif_frame(one, b"\2\x44\1\0") for one in (1, side))
    return gif(first, grown, b";", side=1)


def grown_apng(side: int) -> bytes:
    def frame(number: int, across: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, across, across, 0, 0, 1, 1, 0, 0))

    still = png(chunk(b"acTL", struct.pack(">II", 2, 0)), frame(0, 8))[:-12]
    grown = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(1000)))
    return still + frame(1, side) + grown + chunk(b"IEND", b"")


def still_frames(frames: int) -> bytes:
    control = [
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 8, 8, 0, 0, 1, 1, 0, 0))
        for number in range(frames)
    ]
    return png(chunk(b"acTL", struct.pack(">II", frames, 0)), *control)

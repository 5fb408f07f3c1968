"""Image files built byte by byte, which no normal writer produces; TIFF is in `forged_tiff`."""

import struct
import zlib

from PIL import Image

from tests.imaging.pictures import encoded, quadrants


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes, width: int = 8, height: int = 8) -> bytes:
    """A gray PNG with extra chunks before its pixels; the pixels are 8 x 8, whatever it claims."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(9) * 8))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def deflated_zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, compressed: after a full flush, 20 more take the same bytes."""
    packer = zlib.compressobj(9)

    def compressed(size: int) -> bytes:
        return packer.compress(bytes(size << 20)) + packer.flush(zlib.Z_FULL_FLUSH)

    repeats, rest = divmod(megabytes, 20)
    begin, end = compressed(rest), b"\3\0"  # an empty last block
    checksum = ((megabytes << 20) % 65_521 << 16) + 1  # Adler-32 of zeros
    return begin + compressed(20) * repeats + end + struct.pack(">I", checksum)


def _frame_control(number: int, side: int) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 1, 0, 0))


def apng_with_larger_frame(side: int) -> bytes:
    """An APNG of 8 x 8 whose second frame claims a larger square."""
    still = png(chunk(b"acTL", struct.pack(">II", 2, 0)), _frame_control(0, 8))[:-12]
    data = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(1000)))
    return still + _frame_control(1, side) + data + chunk(b"IEND", b"")


def apng_without_frame_data(frames: int) -> bytes:
    """An APNG whose frames all begin before its only pixels."""
    controls = [_frame_control(number, 8) for number in range(frames)]
    return png(chunk(b"acTL", struct.pack(">II", frames, 0)), *controls)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of chunks, each a name and a body."""
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_chunks(webp: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a WebP, as `riff` takes them."""
    chunks, at = [], 12
    while at < len(webp):
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        chunks.append((webp[at : at + 4], webp[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return chunks


def vp8x(side: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    """The chunk that claims a canvas of this side."""
    bounds = (side - 1).to_bytes(3, "little") * 2
    return b"VP8X", bytes([flags, 0, 0, 0]) + bounds


def webp_with(*chunks: tuple[bytes, bytes], flags: int = 0) -> bytes:
    """A small WebP followed by more chunks."""
    still = webp_chunks(encoded(Image.new("RGB", (8, 8)), "WEBP"))
    return riff(vp8x(8, flags=flags), *still, *chunks)


def webp_animation(frames: int) -> bytes:
    """A small WebP that repeats one frame."""
    picture = dict(webp_chunks(encoded(Image.new("RGB", (8, 8)), "WEBP")))[b"VP8 "]
    inner = b"VP8 " + struct.pack("<I", len(picture)) + picture
    control = bytes(6) + (7).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0"
    return riff(vp8x(8, flags=2), (b"ANIM", bytes(6)), *[(b"ANMF", control + inner)] * frames)


def webp_of_one_colour(width: int, height: int) -> bytes:
    """A lossless WebP of 30 bytes: RFC 9649, section 3.4, with codes of one symbol each."""
    size = width - 1 | height - 1 << 14
    return riff((b"VP8L", b"\x2f" + size.to_bytes(4, "little") + bytes.fromhex("88880800")))


def box(name: bytes, *content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + name + body


def nested_boxes(name: bytes, depth: int) -> bytes:
    """Boxes of one type, each within the one before."""
    body = b""
    for _ in range(depth):
        body = box(name, body)
    return body


def with_claimed_size(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or a HEIF whose header claims another size."""
    changed = bytearray(data)
    at = changed.index(b"ispe") + 8
    changed[at : at + 8] = struct.pack(">II", width, height)
    return bytes(changed)


def with_boxes(data: bytes, added: bytes) -> bytes:
    """An AVIF or a HEIF with more boxes after its first, which names the file type."""
    end = int.from_bytes(data[:4], "big")
    return data[:end] + added + data[end:]


def jxl_with_boxes(*boxes: bytes) -> bytes:
    """A small JPEG XL with boxes before its codestream."""
    head = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return head + b"".join(boxes) + box(b"jxlc", small("JXL"))


def jxl_claiming(side: int) -> bytes:
    """A JPEG XL that ends after its size."""
    # Not small, a side in 30 bits, no ratio: ISO/IEC 18181-1, annex D.2.
    bits, at = 0, 0
    for value, width in ((0, 1), (3, 2), (side - 1, 30), (0, 3), (3, 2), (side - 1, 30)):
        bits |= value << at
        at += width
    return b"\xff\x0a" + bits.to_bytes(16, "little")


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A small JPEG with segments after its first two bytes, each a marker and a body."""
    added = (struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments)
    return jpeg_with(b"".join(added))


def jpeg_with(added: bytes) -> bytes:
    """A small JPEG with these bytes after its first two."""
    whole = small("JPEG")
    return whole[:2] + added + whole[2:]


def jpeg_claiming(side: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(small("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def progressive_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def sequential_scans(side: int, scans: int) -> bytes:
    """A JPEG that announces three components and repeats the scan of the first."""
    whole = encoded(Image.new("L", (side, side), 128), "JPEG")
    frame, last = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    header = struct.pack(">BBHBHHB", 0xFF, 0xC0, 17, 8, side, side, 3)
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    behind = frame + 2 + int.from_bytes(whole[frame + 2 : frame + 4], "big")
    head = whole[:frame] + header + components + whole[behind:last]
    return head + whole[last:-2] * scans + b"\xff\xd9"


def gif(*blocks: bytes, side: int = 8) -> bytes:
    """A GIF of blocks, with a palette of two colours and without a terminator."""
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6) + b"".join(blocks)


def gif_frame(side: int, data: bytes) -> bytes:
    """A frame of 2-bit codes, in sub-blocks."""
    return b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2" + data


def gif_of_tiny_blocks(count: int) -> bytes:
    """A GIF whose only frame comes in sub-blocks of one byte, which draw nothing."""
    # Code 4 clears the code table.
    return gif(gif_frame(8, b"\1\x24" * count + b"\0"), b";")


def gif_with_larger_frame(side: int) -> bytes:
    """A GIF of one pixel whose second frame claims a larger square."""
    transparent = b"!\xf9\4\1\0\0\0\0"
    # The codes clear the table, draw one pixel and end.
    first, second = (transparent + gif_frame(one, b"\2\x44\1\0") for one in (1, side))
    return gif(first, second, b";", side=1)


def small(format: str) -> bytes:
    """A whole image of 16 x 16."""
    return encoded(quadrants(16, 16), format)


def white(format: str, width: int, height: int, **options: int) -> bytes:
    """A whole white image."""
    return encoded(Image.new("RGB", (width, height), "white"), format, **options)

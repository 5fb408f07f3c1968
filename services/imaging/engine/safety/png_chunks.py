"""Leave out the chunks of a PNG that Pillow does not need, or would refuse the picture for.

PNG, Third Edition (W3C, 2025), sections 5.3 (chunks), 5.6 (their order) and 13.2 (errors in them).
An ancillary chunk that is broken, repeated or out of place is left out, and so is every text but
the XMP packet. Of broken ones of a name, four are looked at. From the first chunk of a frame that
is out of sequence, all are left out: the animation ends there, or the picture is a still (4.8). A
file that ends without IEND, or within its last chunk of pixels, gets an IEND: the decoder then
finds out whether the pixels are whole.
"""

import struct
import zlib
from collections import Counter

from contracts.errors import ImageTooBig, ImageUnreadable

_MAX_CHUNKS = 50_000
_MAX_UNPACKED = 1 << 20  # bytes of a compressed profile or packet, as in Pillow 13.0
_MAX_BROKEN = 4  # chunks of one name that are looked at: to unpack one takes up to 4 ms
_MAX_PALETTE = 768  # bytes; each frame of an animation is decoded with the palette

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_HEADER = 13  # bytes of IHDR
_XMP = b"XML:com.adobe.xmp\0"

_FRAMES = (b"fcTL", b"fdAT")
_PIXELS = (b"IDAT", *_FRAMES)
# Chunks of a fixed length, in bytes.
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"acTL": 8}
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"iTXt", *_LENGTHS)


def clean(data: bytes) -> bytes:
    """Return a PNG with the chunks that Pillow needs, in an order that it reads; often `data`.

    Raises ImageTooBig for more than 50,000 chunks, and ImageUnreadable without pixels, or
    without a palette that they need.
    """
    whole = memoryview(data)
    head: list[memoryview] = []
    pixels: list[memoryview | bytes] = []  # with the chunks of an animation's frames
    found: dict[bytes, bytes] = {}
    broken = Counter[bytes]()
    at, has_pixels, is_clean = len(_SIGNATURE), False, True
    sequence, in_sequence = 0, True  # of the next fcTL or fdAT
    for _ in range(_MAX_CHUNKS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if name == b"IEND":
            break
        if end > len(data):
            if name in _PIXELS:
                # Pillow checks no checksum of pixels.
                body = whole[at + 8 : at + 8 + length]
                pixels.append(struct.pack(">I", len(body)) + name + body + bytes(4))
            is_clean = False
            break
        if name == b"IDAT":
            pixels.append(whole[at:end])
            has_pixels = True
        elif name in _FRAMES:
            number = int.from_bytes(data[at + 8 : at + 12], "big")
            in_sequence &= number == sequence and (sequence > 0 or name == b"fcTL")
            if in_sequence:
                pixels.append(whole[at:end])
                sequence += 1
            is_clean &= in_sequence
        elif (
            # Other decoders ignore all of these behind the pixels, too.
            not has_pixels
            and name in _KEPT
            and name not in found
            and (name != b"iTXt" or data.startswith(_XMP, at + 8))
            and broken[name] < _MAX_BROKEN
        ):
            content = data[at + 8 : end - 4]
            if _is_sound(name, content, data[end - 4 : end], found):
                found[name] = content
                head.append(whole[at:end])
                is_clean = is_clean and not pixels
            else:
                broken[name] += 1
                is_clean = False
        else:
            is_clean = False
        at = end
    else:
        raise ImageTooBig(f"The PNG has more than {_MAX_CHUNKS:,} chunks.")
    if not pixels:
        raise ImageUnreadable("The PNG has no pixels.")
    if found.get(b"IHDR", b"")[9:10] == b"\3" and b"PLTE" not in found:
        raise ImageUnreadable("The PNG has indexed colours and no palette.")
    if is_clean and (b"acTL" in found or not sequence):
        return data
    if b"acTL" not in found:
        pixels = [part for part in pixels if part[4:8] == b"IDAT"]
    return b"".join((_SIGNATURE, *head, *pixels, _END))


def _is_sound(name: bytes, body: bytes, checksum: bytes, found: dict[bytes, bytes]) -> bool:
    """Tell whether a chunk has the right checksum, and the form that the standard gives it.

    Pillow itself refuses a header or a palette with a wrong checksum.
    """
    if name == b"IHDR":
        return len(body) == _HEADER
    if name == b"PLTE":
        return len(body) <= _MAX_PALETTE
    if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(checksum, "big"):
        return False
    match name:
        case b"tRNS":
            match found.get(b"IHDR", b"")[9:10]:
                case b"\0":
                    return len(body) == 2
                case b"\2":
                    return len(body) == 6
                case b"\3":
                    return 0 < 3 * len(body) <= len(found.get(b"PLTE", b""))
            return False
        case b"iCCP":
            title, _, packed = body.partition(b"\0")
            return 0 < len(title) < 80 and packed[:1] == b"\0" and _unpacks(packed[1:])
        case b"iTXt":
            compressed, method = body[len(_XMP) : len(_XMP) + 2].ljust(2, b"\xff")
            _, _, packed = body[len(_XMP) + 2 :].partition(b"\0")[2].partition(b"\0")
            return not compressed or (method == 0 and _unpacks(packed))
        case b"eXIf":
            return True
    return len(body) == _LENGTHS[name]


def _unpacks(packed: bytes) -> bool:
    """Tell whether zlib unpacks the bytes as a whole, to at most a megabyte."""
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, _MAX_UNPACKED)
    except zlib.error:
        return False
    return unpacker.eof

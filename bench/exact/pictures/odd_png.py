"""PNG files of every colour type and depth, and with every chunk beside the pixels broken.

PNG, Third Edition (W3C, 2025).
"""

import struct
import zlib
from collections.abc import Iterator

from tests.imaging.forged_animations import PASSES, SAMPLES

_SIZE = 16
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

Chunk = tuple[bytes, bytes]


def stills() -> Iterator[tuple[str, bytes]]:
    """Yield each file with its name."""
    yield from _kinds()
    yield from _broken()


def file_of(*chunks: Chunk | bytes) -> bytes:
    """Return a PNG of chunks, each a name and a body, or bytes that are written as they are."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        one if isinstance(one, bytes) else chunk(*one) for one in chunks
    )


def chunk(name: bytes, body: bytes, *, damage: int = 0) -> bytes:
    """Return a chunk; `damage` changes its checksum."""
    checksum = zlib.crc32(name + body) ^ damage
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def _sample(x: int, y: int, band: int, depth: int) -> int:
    return (x * 4369 + y * 1285 + band * 20_000) % 65_536 >> 16 - depth


def _rows(colour: int, depth: int, columns: range, rows: range) -> bytes:
    """Return the filtered rows of an image, or of a pass; every filter is 0."""
    packed = bytearray()
    for y in rows:
        bits, length = 0, 0
        for x in columns:
            for band in range(SAMPLES[colour]):
                bits = bits << depth | _sample(x, y, band, depth)
                length += depth
        padding = -length % 8
        packed += b"\0" + (bits << padding).to_bytes((length + padding) // 8, "big")
    return bytes(packed)


def _pixels(colour: int, depth: int, *, interlaced: bool) -> bytes:
    if not interlaced:
        return _rows(colour, depth, range(_SIZE), range(_SIZE))
    return b"".join(
        _rows(colour, depth, range(left, _SIZE, across), range(upper, _SIZE, down))
        for left, upper, across, down in PASSES
    )


def _header(colour: int, depth: int, *, interlaced: bool = False) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", _SIZE, _SIZE, depth, colour, 0, 0, interlaced)


def _transparency(colour: int, depth: int) -> bytes | None:
    """Return the tRNS that makes the second pixel of the second row transparent."""
    if colour == 3:
        return bytes((0, 128, 255)[: 1 << depth])
    if colour in (0, 2):
        key = [_sample(1, 1, band, depth) for band in range(SAMPLES[colour])]
        return struct.pack(f">{len(key)}H", *key)
    return None


def _kinds() -> Iterator[tuple[str, bytes]]:
    for colour, depths in _DEPTHS.items():
        for depth in depths:
            for interlaced in (False, True):
                body = zlib.compress(_pixels(colour, depth, interlaced=interlaced))
                head: list[Chunk] = [_header(colour, depth, interlaced=interlaced)]
                if colour == 3:
                    table = bytes(value * 83 % 256 for value in range(3 << depth))
                    head.append((b"PLTE", table))
                end: list[Chunk] = [(b"IDAT", body[:9]), (b"IDAT", body[9:]), (b"IEND", b"")]
                name = f"png colour {colour} depth {depth}{' interlaced' * interlaced}"
                yield name, file_of(*head, *end)
                if key := _transparency(colour, depth):
                    yield f"{name} tRNS", file_of(*head, (b"tRNS", key), *end)


_SOUND: dict[bytes, bytes] = {
    b"tRNS": struct.pack(">3H", 1, 1, 1),
    b"gAMA": struct.pack(">I", 45_455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\0",
    b"cICP": b"\1\x0d\0\1",
    b"sBIT": b"\x08\x08\x08",
    b"bKGD": bytes(6),
    b"hIST": bytes(6),
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"sPLT": b"name\0\x08" + bytes(6),
    b"tIME": b"\x07\xe8\1\1\0\0\0",
    b"eXIf": b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0",
    b"iCCP": b"name\0\0" + zlib.compress(b"no profile"),
    b"tEXt": b"Title\0words",
    b"zTXt": b"Title\0\0" + zlib.compress(b"words"),
    b"iTXt": b"Title\0\0\0en\0\0words",
    b"acTL": struct.pack(">II", 1, 0),
    b"oFFs": bytes(9),
    b"vpAg": bytes(9),
}
_LARGE = zlib.compress(bytes(9 << 20), 9)
_EXIF_TURNED = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
_RAW_EXIF = b"\nexif\n%8d\n%b\n" % (
    6 + len(_EXIF_TURNED),
    (b"Exif\0\0" + _EXIF_TURNED).hex().encode(),
)

_ODD: dict[str, Chunk] = {
    "zTXt of an unknown method": (b"zTXt", b"Title\0\7" + zlib.compress(b"words")),
    "zTXt of much": (b"zTXt", b"Title\0\0" + _LARGE),
    "zTXt cut off": (b"zTXt", b"Title\0\0" + zlib.compress(b"words" * 90)[:20]),
    "iTXt of much": (b"iTXt", b"Title\0\1\0\0\0" + _LARGE),
    "iTXt of an unknown method": (b"iTXt", b"Title\0\1\7\0\0" + zlib.compress(b"words")),
    "XMP of much": (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _LARGE),
    "XMP cut off": (b"iTXt", b"XML:com.adobe.xmp\0"),
    "iCCP of an unknown method": (b"iCCP", b"name\0\7" + zlib.compress(b"words")),
    "iCCP of much": (b"iCCP", b"name\0\0" + _LARGE),
    "iCCP without an end of its name": (b"iCCP", b"name"),
    "iCCP that is not deflated": (b"iCCP", b"name\0\0words"),
    "texts named like fields": (b"tEXt", b"transparency\0words"),
    "text named icc_profile": (b"tEXt", b"icc_profile\0words"),
    "text named exif": (b"tEXt", b"exif\0words"),
    "text named default_image": (b"tEXt", b"default_image\0words"),
    "raw profile type exif, in zTXt": (
        b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(_RAW_EXIF)
    ),
    "raw profile type exif, in tEXt": (b"tEXt", b"Raw profile type exif\0" + _RAW_EXIF),
    "raw profile type APP1": (b"tEXt", b"Raw profile type APP1\0" + _RAW_EXIF),
    "raw profile that is not hexadecimal": (b"tEXt", b"Raw profile type exif\0\nexif\n 9\nzz"),
    "an unknown ancillary chunk": (b"abCd", b"words"),
    "a name that is no text": (b"a\x80\xffd", b"words"),
}  # fmt: skip


def _broken() -> Iterator[tuple[str, bytes]]:
    body = zlib.compress(_pixels(2, 8, interlaced=False))
    header: Chunk = _header(2, 8)
    pixels: Chunk = (b"IDAT", body)
    end: Chunk = (b"IEND", b"")
    for name, content in _SOUND.items():
        title = name.decode()
        yield f"png {title}", file_of(header, (name, content), pixels, end)
        yield f"png {title} checksum", file_of(header, chunk(name, content, damage=1), pixels, end)
        yield f"png {title} empty", file_of(header, (name, b""), pixels, end)
        yield f"png {title} short", file_of(header, (name, content[:-1]), pixels, end)
        yield f"png {title} long", file_of(header, (name, content + b"\1" * 9), pixels, end)
        yield f"png {title} twice", file_of(header, *[(name, content)] * 2, pixels, end)
        yield f"png {title} behind the pixels", file_of(header, pixels, (name, content), end)
        yield (
            f"png {title} among the pixels",
            file_of(header, (b"IDAT", body[:9]), (name, content), (b"IDAT", body[9:]), end),
        )
    for title, odd in _ODD.items():
        yield f"png {title}", file_of(header, odd, pixels, end)
        yield f"png {title}, behind the pixels", file_of(header, pixels, odd, end)
    whole = file_of(header, pixels, end)
    yield "png without IEND", whole[:-12]
    yield "png without IEND and checksum", whole[:-16]
    yield "png without the last checksum of zlib", whole[:-20]
    yield "png cut off within IEND", whole[:-5]
    yield "png without half of the pixels", whole[: len(whole) // 2]
    yield "png followed by other bytes", whole + b"words" * 9
    yield (
        "png with a chunk longer than the file",
        file_of(header, pixels, struct.pack(">I", 99_999) + b"tEXt" + b"words"),
    )
    yield "png with empty IDAT", file_of(header, (b"IDAT", b""), pixels, (b"IDAT", b""), end)
    yield "png with a wrong checksum of pixels", file_of(header, chunk(*pixels, damage=1), end)
    yield "png with a wrong checksum of its header", file_of(chunk(*header, damage=1), pixels, end)
    turned = b"eXIf", _EXIF_TURNED
    yield "png turned by eXIf", file_of(header, turned, pixels, end)
    yield "png turned by eXIf behind the pixels", file_of(header, pixels, turned, end)

"""The chunks of a PNG: read and write them (PNG, Third Edition, W3C 2025, section 5.3)."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the type and the content of each chunk; the last one may be incomplete."""
    view, at = memoryview(data), len(SIGNATURE)
    while at + 8 < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        yield name, view[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(name: bytes, content: bytes | bytearray | memoryview) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)))


def with_pixels(still: bytes, size: tuple[int, int], pixels: bytes | bytearray) -> bytes:
    """Return a PNG of one IDAT chunk with another size and other compressed pixels."""
    parts = [SIGNATURE]
    for name, body in chunks(still):
        if name == b"IHDR":
            parts.append(chunk(name, struct.pack(">II", *size) + body[8:]))
        else:
            parts.append(chunk(name, pixels if name == b"IDAT" else body))
    return b"".join(parts)

"""An animated PNG, a frame after the other: each takes over only what has changed.

PNG, Third Edition (W3C, 2025), sections 11.3.6 and 4.8: acTL, fcTL and fdAT. Pillow's own writer
draws every frame twice and holds all of them.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image, ImageChops

from services.imaging.engine.raster.animation import Animation

_SIGNATURE = 8
_MOST_TICKS = 65_535
_TICKS = (1000, 100, 10)  # a second


def written(film: Animation, encode: Callable[[Image.Image], bytes]) -> bytes:
    """The film as a file; `encode` gives a still PNG."""
    parts: list[bytes] = []
    sequence = 0
    previous: Image.Image | None = None
    for number in range(film.n_frames):
        film.seek(number)
        frame = film.copy()
        box = (0, 0, *film.size) if previous is None else _changed(previous, frame)
        chunks = list(_chunks(encode(frame.crop(box))))
        if previous is None:
            parts.append(b"\x89PNG\r\n\x1a\n")
            parts += [_chunk(name, body) for name, body in _before_pixels(chunks)]
            # After IHDR, before the pixels.
            parts.insert(2, _chunk(b"acTL", struct.pack(">II", film.n_frames, film.plays)))
        parts.append(_chunk(b"fcTL", _control(sequence, box, film.durations[number])))
        sequence += 1
        for name, body in chunks:
            if name != b"IDAT":
                continue
            if previous is None:
                parts.append(_chunk(b"IDAT", body))
            else:
                parts.append(_chunk(b"fdAT", struct.pack(">I", sequence) + body))
                sequence += 1
        previous = frame
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _changed(previous: Image.Image, frame: Image.Image) -> tuple[int, int, int, int]:
    difference = ImageChops.difference(previous, frame)
    # Nothing is one pixel, too: a frame has to have some.
    return difference.getbbox(alpha_only=False) or (0, 0, 1, 1)


def _control(sequence: int, box: tuple[int, int, int, int], duration: int) -> bytes:
    left, upper, right, lower = box
    size = right - left, lower - upper
    ticks = next(ticks for ticks in _TICKS if duration * ticks // 1000 <= _MOST_TICKS)
    delay = duration * ticks // 1000
    # The frame replaces what it covers, and stays.
    return struct.pack(">IIIIIHHBB", sequence, *size, left, upper, delay, ticks, 0, 0)


def _before_pixels(chunks: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for name, body in chunks:
        if name == b"IDAT":
            return
        yield name, body


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

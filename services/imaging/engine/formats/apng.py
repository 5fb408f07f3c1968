"""Write an animated PNG one frame at a time, each as the rectangle that changed.

PNG, Third Edition (W3C, 2025), sections 4.8 and 11.3.6: acTL, fcTL and fdAT.

Seen in Pillow 13.0: `save` seeks to every frame twice and keeps all of them in memory until the
last. This module can go once `save` seeks once and writes each frame before the next.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image, ImageChops

from services.imaging.engine.raster.animation import Animation

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_TICKS = 65_535
_TICKS = (1000, 100, 10)  # a second: the finest that can hold a duration

_Box = tuple[int, int, int, int]


def encode_animation(animation: Animation, encode: Callable[[Image.Image], bytes]) -> bytes:
    """Write an animation as an APNG; `encode` writes one image as a still PNG.

    Metadata comes from the first frame's PNG.
    """
    parts: list[bytes] = []
    sequence = 0
    previous: Image.Image | None = None
    for number in range(animation.n_frames):
        animation.seek(number)
        frame = animation.copy()
        box = (0, 0, *animation.size) if previous is None else _changed_box(previous, frame)
        chunks = list(_chunks(encode(frame.crop(box))))
        if previous is None:
            parts.append(_SIGNATURE)
            parts += [_chunk(name, body) for name, body in _before_pixels(chunks)]
            control = struct.pack(">II", animation.n_frames, animation.plays)
            parts.insert(2, _chunk(b"acTL", control))  # after the signature and IHDR
        parts.append(_chunk(b"fcTL", _frame_control(sequence, box, animation.durations[number])))
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


def _changed_box(previous: Image.Image, frame: Image.Image) -> _Box:
    difference = ImageChops.difference(previous, frame)
    # A frame has at least one pixel, even if no pixel changed.
    return difference.getbbox(alpha_only=False) or (0, 0, 1, 1)


def _frame_control(sequence: int, box: _Box, duration: int) -> bytes:
    """Return the content of an fcTL chunk; the duration is in milliseconds."""
    left, upper, right, lower = box
    size = right - left, lower - upper
    ticks = next(ticks for ticks in _TICKS if duration * ticks // 1000 <= _MAX_TICKS)
    delay = duration * ticks // 1000
    # Dispose 0: the frame stays. Blend 0: the frame replaces the pixels that it covers.
    return struct.pack(">IIIIIHHBB", sequence, *size, left, upper, delay, ticks, 0, 0)


def _before_pixels(chunks: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for name, body in chunks:
        if name == b"IDAT":
            return
        yield name, body


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

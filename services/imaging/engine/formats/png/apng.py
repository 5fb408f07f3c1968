"""Write an animated PNG one frame at a time, each as the rectangle that changed.

PNG, Third Edition (W3C, 2025), sections 4.8 and 11.3.6: acTL, fcTL and fdAT.

Seen in Pillow 13.0: `save` seeks to every frame twice and keeps all of them in memory until the
last. This module can go once `save` seeks once and writes each frame before the next.
"""

import struct
from collections.abc import Callable, Iterator

from PIL import Image, ImageChops

from services.imaging.engine.formats.png.file import SIGNATURE, chunk, chunks
from services.imaging.engine.raster.animation import Animation

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
        still = list(chunks(encode(frame.crop(box))))
        if previous is None:
            parts.append(SIGNATURE)
            parts += [chunk(name, body) for name, body in _before_pixels(still)]
            control = struct.pack(">II", animation.n_frames, animation.plays)
            parts.insert(2, chunk(b"acTL", control))  # after the signature and IHDR
        parts.append(chunk(b"fcTL", _frame_control(sequence, box, animation.durations[number])))
        sequence += 1
        for name, body in still:
            if name != b"IDAT":
                continue
            if previous is None:
                parts.append(chunk(b"IDAT", body))
            else:
                parts.append(chunk(b"fdAT", struct.pack(">I", sequence) + body))
                sequence += 1
        previous = frame
    parts.append(chunk(b"IEND", b""))
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


def _before_pixels(
    still: list[tuple[bytes, memoryview]],
) -> Iterator[tuple[bytes, memoryview]]:
    for name, body in still:
        if name == b"IDAT":
            return
        yield name, body

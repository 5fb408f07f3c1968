"""libvips' Lanczos 3 on Pillow's pixels: the same picture in a third of the time, if installed.

libvips shrinks around the middle of whole pixels. A box that lies between them is met by a window
of whole pixels around it, some pixels of the result larger, in which the result falls where it
should; to 1/64 of a pixel, which is as fine as libvips' own tables are. What lies around the result
is not computed.
"""

import os
from dataclasses import dataclass
from functools import cache
from math import floor
from typing import Any

from PIL import Image

from services.imaging.geometry import Box, Size

# What Lanczos 3 sees of its neighbours, in pixels of the result.
_SUPPORT = 3
_PRECISION = 1 / 64
_MOST_SHIFTS = 128

# libvips takes at most this beside its result; where GLib finds no memory it may end the process.
_HEADROOM = 96 << 20


@dataclass(frozen=True)
class Window:
    """`length` source pixels from `start` become `whole` pixels; the result is `skip` into them."""

    start: int
    length: int
    step: float
    whole: int
    skip: int


def window(low: float, high: float, size: int) -> Window | None:
    """The window in which `low` to `high` becomes `size` pixels, if a small one does it."""
    step = (high - low) / size
    for shift in sorted(range(-_MOST_SHIFTS, _MOST_SHIFTS + 1), key=abs):
        # Every pixel more at one end moves the middle by half a step.
        middle = 2 * ((low + high) / 2 - shift * step / 2)  # in halves of a pixel
        if abs(middle - round(middle)) / 2 > _PRECISION:
            continue
        for more in range(_SUPPORT, _SUPPORT + 5):
            whole = size + abs(shift) + 2 * more
            length = round(whole * step)
            length += (length + round(middle)) % 2
            if floor(length / step + 0.5) == whole:
                return Window(
                    (round(middle) - length) // 2, length, step, whole, max(0, shift) + more
                )
    return None


def is_installed() -> bool:
    """Whether this process has libvips; the first call loads it, which takes 60 ms."""
    return _pyvips() is not None


def shrink(image: Image.Image, size: Size, box: Box) -> Image.Image | None:
    """`box` of an L, LA, RGB or RGBA image at a `size` that is smaller both ways.

    None where no window fits. It has to be installed. Raises MemoryError.
    """
    pyvips = _pyvips()
    across, down = window(box[0], box[2], size[0]), window(box[1], box[3], size[1])
    if across is None or down is None:
        return None
    bytes(size[0] * size[1] * 4 + _HEADROOM)  # never touched, and so it costs nothing
    mode = image.mode
    weighed = {"LA": "La", "RGBA": "RGBa"}.get(mode, mode)
    seen = (
        max(0, across.start),
        max(0, down.start),
        min(image.width, across.start + across.length),
        min(image.height, down.start + down.length),
    )
    part = image if seen == (0, 0, *image.size) else image.crop(seen)
    if weighed != mode:
        part = part.convert(weighed)
    try:
        shrunk = (
            pyvips.Image.new_from_memory(part.tobytes(), *part.size, len(part.getbands()), "uchar")
            .embed(
                seen[0] - across.start,
                seen[1] - down.start,
                across.length,
                down.length,
                extend="copy",
            )
            .reduce(across.step, down.step, kernel="lanczos3")
            .crop(across.skip, down.skip, *size)
            .write_to_memory()
        )
    except pyvips.Error as exc:
        # On pixels in memory there is nothing else that can go wrong.
        raise MemoryError("libvips had not enough memory") from exc
    result = Image.frombytes(weighed, size, shrunk)
    return result if weighed == mode else result.convert(mode)


@cache
def _pyvips() -> Any:
    # A process has one core, and has no use for the same answer twice. Read as libvips starts.
    os.environ["VIPS_CONCURRENCY"] = "1"
    try:
        import pyvips
    except (ImportError, OSError):
        return None
    pyvips.cache_set_max(0)
    return pyvips

"""Write a transparent animation as a GIF, and round every frame's duration to its clock.

Seen in Pillow 13.0: `save` writes later frames of a transparent animation with colours in place of
transparency, where the tables of two frames differ. `encode_transparent` can go once Pillow writes
such frames as they are.
"""

import struct
from collections.abc import Callable

from PIL import Image

from services.imaging.engine.formats.gif.frames import table_bytes
from services.imaging.engine.raster.animation import Animation

_CLEAR = 2  # disposal method
_TABLE = 0x80  # flag of an image descriptor
_LAST_INDEX = 255  # of the largest table

_TICK = 10  # milliseconds
# Browsers show a frame of 10 ms or less for 100 ms, in a GIF as in all other formats.
_SLOWED_DOWN = 10
_SHORTEST, _LONGEST = 20, 655_350


class DurationRounder:
    """Round durations to ticks of 10 ms, and carry the rounding error to the next frame.

    The animation as a whole keeps its length. A frame that browsers show for its own duration is
    never rounded to one of those that they slow down.
    """

    def __init__(self) -> None:
        self._error = 0

    def rounded(self, duration: int) -> int:
        """Return the next frame's duration as a GIF can store it; both in milliseconds."""
        if duration <= _SLOWED_DOWN:
            return -(-duration // _TICK) * _TICK
        exact = duration + self._error
        stored = max(_SHORTEST, min((exact + _TICK // 2) // _TICK * _TICK, _LONGEST))
        # At most half a tick: a long last frame must not make up for many frames that were too
        # short to store.
        self._error = max(-_TICK // 2, min(exact - stored, _TICK // 2))
        return stored


def encode_transparent(animation: Animation, encode: Callable[[Image.Image], bytes]) -> bytes:
    """Write an animation in RGBA as a GIF that clears each frame before the next.

    `encode` writes one frame as a still GIF with a table of its own. Equal neighbours become one
    frame.
    """
    rounder = DurationRounder()
    frames: list[tuple[bytes, tuple[int, int], int]] = []  # still GIF, corner, milliseconds
    for number in range(animation.n_frames):
        animation.seek(number)
        # A first frame that does not cover the canvas would get a background colour from Pillow.
        box = (animation.getbbox() if number else None) or (0, 0, *animation.size)
        still, corner = encode(animation.crop(box)), box[:2]
        duration = rounder.rounded(animation.durations[number])
        if frames and frames[-1][:2] == (still, corner) and frames[-1][2] + duration <= _LONGEST:
            duration += frames.pop()[2]
        frames.append((still, corner, duration))
    head = b"GIF89a" + struct.pack("<HHBBB", *animation.size, 0, 0, 0)
    # NETSCAPE2.0 counts repetitions, 0 for ever; a GIF without it is played once.
    repeats = struct.pack("<H", max(0, animation.plays - 1))
    loop = b"" if animation.plays == 1 else b"!\xff\x0bNETSCAPE2.0\3\1" + repeats + b"\0"
    return b"".join((head, loop, *(_frame(*one) for one in frames), b";"))


def _frame(still: bytes, corner: tuple[int, int], duration: int) -> bytes:
    """Return the blocks of one frame, made from a still GIF."""
    at = 13 + table_bytes(still[10])
    table = still[13:at]
    # Name an unused index: Pillow decodes an animation as opaque if its first frame has no
    # transparent index. A frame of 256 colours has no unused index.
    transparent = _LAST_INDEX if len(table) <= 3 * _LAST_INDEX else None
    if still[at : at + 1] == b"!":
        transparent, at = still[at + 6], at + 8
    flags = _CLEAR << 2 | (transparent is not None)
    return b"".join((
        b"!\xf9\4" + struct.pack("<BHBB", flags, duration // 10, transparent or 0, 0),
        b"," + struct.pack("<HH", *corner) + still[at + 5 : at + 9],
        bytes([still[at + 9] | still[10] & (_TABLE | 7)]) + table,
        still[at + 10 : -1],
    ))  # fmt: skip

"""Find the frames and loop count of a GIF (GIF89a, sections 18 to 26), without decoding a pixel.

Seen in Pillow 13.0: the extension with the loop count is read before the first frame only, and only
under one of its two names. A file whose table is a ramp of grays opens in mode L, and its later
frames are wrong. This module can go together with `frame_canvas.py`, once Pillow reads the count.
"""

import math

from contracts.operations.sizes import Size
from services.imaging.engine.formats.frame_canvas import Blend, Disposal, FrameCanvas, FramePart

_TABLE, _INTERLACED = 0x80, 0x40  # flags of a screen or an image descriptor
_TRANSPARENT = 1  # flag of a graphic control
_NO_CONTROL = bytes(8)
# Disposal 4 is reserved. Browsers take it for 3, as some writers mean it.
_DISPOSALS = {
    2: Disposal.CLEAR,
    3: Disposal.RESTORE_PREVIOUS,
    4: Disposal.RESTORE_PREVIOUS,
}
# The extensions that say how often the animation is repeated; they are in no standard.
_LOOPS = (b"!\xff\x0bNETSCAPE2.0\3\1", b"!\xff\x0bANIMEXTS1.0\3\1")


def canvas_for(data: bytes, size: Size, most: int) -> FrameCanvas | None:
    """Return a canvas for a GIF that Pillow opens with this size, of at most so many frames.

    None for a still that covers its canvas, which Pillow decodes as browsers do.
    """
    at = 13 + table_bytes(data[10])
    global_table = data[13:at]
    control, parts = _NO_CONTROL, list[FramePart]()
    # A GIF without a count is played once; of several, the last one counts.
    plays = 1
    while data[at : at + 1] in (b"!", b",", b"\0"):
        kind = data[at : at + 1]
        if kind == b",":
            # A file may be cut off within a frame's table.
            whole = at + 11 + table_bytes(data[at + 9]) if len(data) > at + 9 else math.inf
            if len(data) < whole or len(parts) == most:
                break
            part, at = _part(data, at, global_table, control)
            parts.append(part)
            control = _NO_CONTROL
            continue
        if data.startswith(b"!\xf9\4", at):
            control = data[at : at + 8]
        elif data.startswith(_LOOPS, at):
            repeats = int.from_bytes(data[at + 16 : at + 18], "little")
            plays = repeats + 1 if repeats else 0
        at = at + 1 if kind == b"\0" else _after_blocks(data, at + 2)
    if not parts or (len(parts) == 1 and parts[0].box == (0, 0, *size)):
        return None
    return FrameCanvas(parts, size, plays)


def table_bytes(flags: int) -> int:
    """Return the length of the colour table that the flags of a descriptor announce."""
    return 6 << (flags & 7) if flags & _TABLE else 0


def _part(data: bytes, at: int, global_table: bytes, control: bytes) -> tuple[FramePart, int]:
    """Return the frame whose image descriptor is at `at`, and where its data ends."""
    left, upper, width, height = (
        int.from_bytes(data[place : place + 2], "little") for place in range(at + 1, at + 9, 2)
    )
    flags, start = data[at + 9], at + 10 + table_bytes(data[at + 9])
    end = _after_blocks(data, start + 1)
    table = data[at + 10 : start] or global_table
    bits = (len(table) // 3).bit_length() - 2
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    is_transparent = bool(control[3] & _TRANSPARENT)
    part = FramePart(
        box=(left, upper, left + width, upper + height),
        disposal=_DISPOSALS.get(control[3] >> 2 & 7, Disposal.KEEP),
        duration=10 * int.from_bytes(control[4:6], "little"),
        may_be_transparent=is_transparent,
        blend=Blend.MASK if is_transparent else Blend.REPLACE,
        file=(
            b"GIF89a" + size + bytes([_TABLE | bits if table else 0, 0, 0]) + table,
            # Without the disposal: no frame comes before this one in the file.
            control[:3] + bytes([control[3] & _TRANSPARENT]) + control[4:] if control[0] else b"",
            b"," + bytes(4) + size + bytes([flags & _INTERLACED]),
            memoryview(data)[start:end],
            b";",
        ),
    )
    return part, end


def _after_blocks(data: bytes, at: int) -> int:
    """Return where a chain of sub-blocks ends, its terminator included."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1

"""Find the frames of an animated PNG, without decoding a pixel.

PNG, Third Edition (W3C, 2025), sections 4.8 and 11.3.6: acTL, fcTL and fdAT.
"""

import struct
from collections.abc import Iterator
from itertools import islice

from contracts.operations.sizes import Size
from services.imaging.engine.formats.frame_canvas import Blend, Disposal, FrameCanvas, FramePart
from services.imaging.engine.formats.png.file import SIGNATURE, chunk, chunks

_WITH_ALPHA, _GRAY = (4, 6), (0, 4)  # colour types
_DISPOSALS = {1: Disposal.CLEAR, 2: Disposal.RESTORE_PREVIOUS}
_SOURCE = 0  # blend operation
_HUNDREDTHS = 100  # a delay's denominator if it is given as zero


def canvas_for(data: bytes) -> FrameCanvas | None:
    """Return the animation of a PNG that Pillow has opened; None for a still.

    A file may have fewer frames than it claims: the animation ends before the first frame that is
    broken, as in browsers.
    """
    head: dict[bytes, memoryview] = {}
    for name, content in chunks(data):
        if name == b"IDAT":
            break
        head.setdefault(name, content)
    control = head.get(b"acTL", b"")
    if len(control) != 8:
        return None
    claimed, plays = struct.unpack(">II", control)
    # Every frame's decoder needs these.
    shared = b"".join(chunk(name, head[name]) for name in (b"PLTE", b"tRNS") if name in head)
    header = bytes(head[b"IHDR"])
    has_alpha = header[9] in _WITH_ALPHA or b"tRNS" in head
    parts = tuple(islice(_parts(data, header, shared, has_alpha=has_alpha), claimed))
    if len(parts) < 2:
        return None
    return FrameCanvas(parts, _size(header), plays, is_gray=header[9] in _GRAY)


def _parts(data: bytes, header: bytes, shared: bytes, *, has_alpha: bool) -> Iterator[FramePart]:
    for control, pixels in _frames(data):
        _, width, height, left, upper, delay, per_second, dispose, blend = struct.unpack(
            ">5I2H2B", control
        )
        across, down = _size(header)
        if not (0 < width <= across - left and 0 < height <= down - upper):
            return
        length = sum(map(len, pixels))
        yield FramePart(
            box=(left, upper, left + width, upper + height),
            disposal=_DISPOSALS.get(dispose, Disposal.KEEP),
            duration=round(1000 * delay / (per_second or _HUNDREDTHS)),
            may_be_transparent=has_alpha,
            blend=Blend.REPLACE if blend == _SOURCE or not has_alpha else Blend.OVER,
            file=(
                SIGNATURE,
                chunk(b"IHDR", struct.pack(">II", width, height) + header[8:]),
                shared,
                struct.pack(">I", length) + b"IDAT",
                *pixels,
                bytes(4),  # Pillow does not compare the checksum of pixels.
                chunk(b"IEND", b""),
            ),
        )


def _frames(data: bytes) -> Iterator[tuple[memoryview, list[memoryview]]]:
    """Yield each frame's control and pixels, up to the first frame that lacks one or is misplaced.

    A default image that no control precedes is no frame.
    """
    control: memoryview | None = None
    pixels: list[memoryview] = []
    sequence = 0
    for name, content in chunks(data):
        if name in (b"fcTL", b"fdAT"):
            if content[:4] != struct.pack(">I", sequence):
                break
            sequence += 1
        if name == b"fcTL":
            if control is not None:
                if not pixels:
                    return
                yield control, pixels
            if len(content) != 26:
                return
            control, pixels = content, []
        elif name == b"IDAT" and control is not None and sequence == 1:
            pixels.append(content)
        elif name == b"fdAT":
            pixels.append(content[4:])
    if control is not None and pixels:
        yield control, pixels


def _size(header: bytes) -> Size:
    width, height = struct.unpack(">II", header[:8])
    return width, height

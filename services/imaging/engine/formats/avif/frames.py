"""Compare the frames of an AVIF with the size that its boxes claim, before they are decoded.

libavif decodes the frames of AV1 in the size their own headers give, and then scales them to the
size of the boxes. Seen in libavif 1.4 with dav1d 1.5; a HEIF and a JPEG XL are refused for that.
This module can go once libavif refuses such files.
"""

from collections.abc import Iterator

from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.operations.sizes import Size
from services.imaging.engine.formats.avif import av1
from services.imaging.engine.formats.avif.streams import Stream, streams, unreadable

# An AVIF has 3 units a frame and 500 frames at most, each perhaps with alpha.
_MAX_UNITS = 20_000
# The last tiles of a grid may reach over its edges.
_USUAL_TILE = 1024


def check_frames(data: bytes, size: Size) -> None:
    """Check each frame of an AVIF that is to be decoded; `size` is that of the image.

    Raises ImageUnreadable for a frame that is larger than its boxes say, and ImageTooBig for a
    file in too many parts.
    """
    units = _Units()
    stream = None
    for stream in streams(data):
        claimed = _largest(stream, size)
        sizes = list(av1.frame_sizes(units.of(stream)))
        if stream.output:
            sizes.append(stream.output)
        if not sizes:
            raise unreadable()
        for width, height in sizes:
            if width > claimed[0] or height > claimed[1]:
                raise ImageUnreadable(
                    f"The AVIF claims to be {claimed[0]} x {claimed[1]}, and has a frame of "
                    f"{width} x {height}."
                )
    if stream is None:
        raise unreadable()


class _Units:
    """Counts the units of a file."""

    def __init__(self) -> None:
        self._left = _MAX_UNITS

    def of(self, stream: Stream) -> Iterator[tuple[int, int, av1.Bytes]]:
        """Yield the units of a stream. Raises ImageTooBig."""
        for part in stream.parts:
            for unit in av1.units(part):
                self._left -= 1
                if self._left < 0:
                    raise ImageTooBig(f"The AVIF has more than {_MAX_UNITS:,} units of AV1.")
                yield unit


def _largest(stream: Stream, size: Size) -> Size:
    """Return the largest width and height that the frames of a stream may have."""
    if stream.may_be_tile:
        size = max(size[0], _USUAL_TILE), max(size[1], _USUAL_TILE)
    if stream.claimed is None:
        return size
    return min(size[0], stream.claimed[0]), min(size[1], stream.claimed[1])

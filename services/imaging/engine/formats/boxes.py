"""The boxes of ISO media files, which AVIF and HEIF are (ISO/IEC 14496-12:2022, 4.2)."""

from collections.abc import Iterator

_MAX_BOXES = 1000  # read per container: a HEIF of many tiles has hundreds of properties

Span = tuple[int, int]
"""File offsets: the beginning and the end of a box's content."""


def boxes(data: bytes, span: Span, *, most: int = _MAX_BOXES) -> Iterator[tuple[bytes, Span]]:
    """Yield the type and the content of each box directly within a span, up to a broken one.

    `most` boxes are yielded at most.
    """
    at, end = span
    for _ in range(most):
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        # A size of 0 means that the box reaches to the end.
        after = at + size if size else end
        if at + head > after or after > end:
            return
        yield data[at + 4 : at + 8], (at + head, after)
        at = after


def content(data: bytes, span: Span, *path: bytes) -> Span | None:
    """Return the content of the box at a path of box types, the first of each type."""
    for kind in path:
        found = next((inner for name, inner in boxes(data, span) if name == kind), None)
        if found is None:
            return None
        span = found
    return span

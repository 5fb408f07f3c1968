"""The requests: one stored picture of 13 kB, and thumbnails of which no two are the same."""

from collections.abc import Iterator
from functools import cache
from itertools import count

from bench.imaging.cases import Case
from bench.imaging.photographs import FOLDER, PHOTO, SMALL, Photograph, numbered
from contracts.formats import Format

HIT = Case("hit", PHOTO, (264, 216), Format.WEBP)
"""The stored picture."""

SOURCES = 256
_WIDTH, _HEIGHT = 250, 204


@cache
def sources() -> tuple[Photograph, ...]:
    """Return photographs of 500 pixels with different bytes, each in a file of its own."""
    photo = SMALL.read()
    found = []
    for number in range(SOURCES):
        one = Photograph(f"small-{number:03}.jpg", SMALL.size)
        (FOLDER / one.name).write_bytes(numbered(photo, number))
        found.append(one)
    return tuple(found)


def thumbnails() -> Iterator[Case]:
    """Yield thumbnails without end, no two of which are the same.

    Each is of another photograph than the `SOURCES - 1` before it, so that nothing is shared
    between requests that are under way at once. From turn to turn the size changes by a pixel.
    """
    for turn in count():
        change = turn // 2 + 1 if turn % 2 else -(turn // 2)
        for photo in sources():
            yield Case("thumbnail", photo, (_WIDTH + change, _HEIGHT + change))

"""All stills of this package."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain

from bench.exact.pictures import (
    avif,
    colours,
    gif,
    heif,
    jpeg,
    jxl,
    odd_jpeg,
    odd_png,
    odd_tiff,
    png,
    tiff,
    webp,
)
from bench.exact.pictures.scene import Picture
from contracts.formats import Format, format_of_bytes

_MODULES = (avif, gif, heif, jpeg, jxl, odd_jpeg, odd_png, odd_tiff, png, tiff, webp, colours)
_QUICK = 19


@cache
def stills() -> Sequence[Picture]:
    """Return all files, each with a name of its own."""
    return tuple(chain.from_iterable(module.stills() for module in _MODULES))


def few_stills() -> Sequence[Picture]:
    """Return the files of the short form."""
    return stills()[::_QUICK]


def stills_of(pictures: Iterable[Picture], *formats: Format) -> Sequence[Picture]:
    """Return the files of these formats."""
    return [one for one in pictures if format_of_bytes(one[1]) in formats]

"""All stills of this package."""

from collections.abc import Sequence
from functools import cache
from itertools import chain

from bench.exact.pictures import (
    avif,
    gif,
    heif,
    jpeg,
    jxl,
    odd_jpeg,
    odd_png,
    png,
    tiff,
    webp,
)
from bench.exact.pictures.scene import Picture
from contracts.formats import Format, format_of_bytes

_MODULES = (avif, gif, heif, jpeg, jxl, odd_jpeg, odd_png, png, tiff, webp)
_QUICK = 19


def stills_of(*formats: Format, quick: bool = False) -> Sequence[Picture]:
    """Return the files of these formats, each with a name of its own; every 19th if `quick`."""
    found = [one for one in stills() if format_of_bytes(one[1]) in formats]
    return found[::_QUICK] if quick else found


@cache
def stills() -> Sequence[Picture]:
    """Return all files."""
    return tuple(chain.from_iterable(module.stills() for module in _MODULES))

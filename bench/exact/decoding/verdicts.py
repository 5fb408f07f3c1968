"""Compare how Darkroom and another decoder see each file."""

from collections.abc import Iterable, Iterator, Mapping

from PIL import Image

from bench.exact.decoding.pixels import EXACT, Tolerance, premultiplied, seen_by_darkroom
from bench.exact.judges import Case
from bench.exact.pictures.scene import Picture
from contracts.errors import ServiceError
from contracts.formats import Format, format_of_bytes

Seen = Image.Image | str
"""The RGBA pixels that a decoder shows, or the reason why it shows none."""

# HLG is interpolated in a table. The step of a sample is up to 4 levels of sRGB.
_HDR = Tolerance(most=14, mean=0.5)


def cases(
    pictures: Iterable[Picture],
    theirs: Iterable[Seen],
    tolerances: Mapping[Format, Tolerance],
    *,
    by_alpha: bool = False,
) -> Iterator[Case]:
    """Compare each file. Formats without a tolerance, and lossless files, have to be exact.

    `by_alpha` weighs colours by alpha, for decoders that answer with weighed colours.
    """
    for (name, data), seen in zip(pictures, theirs, strict=True):
        format = format_of_bytes(data)
        tolerance = EXACT
        if "HDR" in name:
            tolerance = _HDR
        elif format and "lossless" not in name:
            tolerance = tolerances.get(format, EXACT)
        yield _case(name, data, seen, tolerance, by_alpha=by_alpha)


def _case(name: str, data: bytes, seen: Seen, tolerance: Tolerance, *, by_alpha: bool) -> Case:
    try:
        ours = seen_by_darkroom(data)
    except ServiceError as exc:
        both = isinstance(seen, str)
        return Case(name, None if both else f"refused: {exc.detail}", refused=True)
    except Exception as exc:  # a fault of Darkroom is a difference, and not the end of the judge
        return Case(name, f"raised {exc!r}", refused=True)
    if isinstance(seen, str):
        return Case(name, f"read, and refused by the judge: {' '.join(seen.split())[:100]}")
    if by_alpha:
        ours, seen = premultiplied(ours), premultiplied(seen)
    return Case(name, tolerance.difference(ours, seen))

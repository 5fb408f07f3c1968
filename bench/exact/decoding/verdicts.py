"""Compare how Darkroom and another decoder see each file."""

from collections.abc import Iterable, Iterator, Mapping

from PIL import Image

from bench.exact.decoding.pixels import EXACT, Tolerance, premultiplied, seen_by_darkroom
from bench.exact.judges import Case
from bench.exact.pictures.scene import Picture
from contracts.errors import ServiceError
from contracts.formats import Format, format_of_bytes

Seen = Image.Image | str
"""What a decoder sees: RGBA pixels, or the reason why it sees nothing."""

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
        yield Case(name, _difference(data, seen, tolerance, by_alpha=by_alpha))


def _difference(data: bytes, seen: Seen, tolerance: Tolerance, *, by_alpha: bool) -> str | None:
    try:
        ours: Seen = seen_by_darkroom(data)
    except ServiceError as exc:
        ours = exc.detail
    except Exception as exc:  # a fault of Darkroom is a difference, and not the end of the judge
        return f"raised {exc!r}"
    match ours, seen:
        case str(), Image.Image():
            return f"refused: {ours}"
        case Image.Image(), str():
            return f"read, and refused by the judge: {' '.join(seen.split())[:100]}"
        case Image.Image(), Image.Image() if by_alpha:
            return tolerance.difference(premultiplied(ours), premultiplied(seen))
        case Image.Image(), Image.Image():
            return tolerance.difference(ours, seen)
    return None  # both refuse it

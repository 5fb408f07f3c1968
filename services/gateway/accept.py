"""The `Accept` header: which image formats a client names (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Mapping, Sequence

from contracts.outputs import AUTO, Format, Output
from services.gateway.lists import elements

_RANGE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;(.*))?")
_WEIGHT = re.compile(
    r"(?:^|;)\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)

# Of photographs the first is smaller; a drawing may not be, but nobody encodes both to compare.
# A client has to name them: many send */* and can't read them.
_NEW = (Format.AVIF, Format.WEBP)
_SEEN_EVERYWHERE = (Format.JPEG, Format.PNG)


def negotiated(output: Output, lines: Sequence[str]) -> Output:
    """The output with the format that `Accept` lines like best, where it leaves that open.

    Of equal weights the format wins that makes photographs smaller. It stays `auto`, which is a
    jpeg, a png or a gif by the image itself, where nothing better is named, and where nothing that
    is named can be had: as RFC 9110 allows, such a header is disregarded.
    """
    if output.format != AUTO:
        return output
    weights = _weights(lines)
    # An AVIF is never quite lossless.
    new = [format for format in _NEW if not (output.lossless and format is Format.AVIF)]
    liked = {format: weights.get(f"image/{format}", 0.0) for format in new}
    old = {format: _weight(weights, format) for format in _SEEN_EVERYWHERE}
    best = max(new, key=lambda format: liked[format])
    if liked[best] > 0 and liked[best] >= max(old.values()):
        return _with(output, best)
    jpeg, png = old[Format.JPEG], old[Format.PNG]
    if png > 0 and jpeg == 0:
        return _with(output, Format.PNG)
    if jpeg > 0 and png == 0 and not output.lossless:
        return _with(output, Format.JPEG)
    return output


def _with(output: Output, format: Format) -> Output:
    return output.model_copy(update={"format": format})


def _weight(weights: Mapping[str, float], format: Format) -> float:
    """The most specific range that matches counts."""
    for name in (f"image/{format}", "image/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0


def _weights(lines: Sequence[str]) -> dict[str, float]:
    """Each media range with its weight; what is malformed is not there."""
    weights: dict[str, float] = {}
    for element in elements(lines):
        found = _RANGE.fullmatch(element.rstrip())
        if found is None:
            continue
        parameters = found[2] or ""
        weight = _WEIGHT.search(parameters)
        if weight is not None:
            weights[found[1].lower()] = float(weight[1])
        elif not re.search(r"(?:^|;)\s*q\s*=", parameters, re.IGNORECASE):
            weights[found[1].lower()] = 1.0
    return weights

"""The `Accept` header: which image formats a client names (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Mapping, Sequence

from contracts.formats import AUTO_FORMATS, Format
from contracts.outputs import AUTO, Output
from services.gateway.http.header_lists import elements

_RANGE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;(.*))?")
_WEIGHT = re.compile(
    r"(?:^|;)\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)


def negotiated(output: Output, lines: Sequence[str]) -> Output:
    """The output, to be chosen from the formats that `Accept` lines like best, if it is open.

    Where nothing is named that can be had, it is chosen by the image: as RFC 9110 allows, such a
    header is disregarded.
    """
    if output.format != AUTO:
        return output
    weights = _weights(lines)
    able = [f for f in AUTO_FORMATS if not output.lossless or f.spec.lossless]
    liked = {format: _weight(weights, format) for format in able}
    best = max(liked.values())
    among = tuple(format for format in able if best and liked[format] == best)
    return output.model_copy(update={"among": among})


def _weight(weights: Mapping[str, float], format: Format) -> float:
    """The most specific range that matches counts."""
    named = format.spec.media_type
    for name in (named,) if format.spec.needs_accept else (named, "image/*", "*/*"):
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

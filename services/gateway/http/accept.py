"""The `Accept` request header: the image formats a client prefers (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from contracts.formats import AUTO_FORMATS, Format
from contracts.outputs import AUTO, Output
from services.gateway.http.header_lists import split_list

_RANGE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;(.*))?")
_WEIGHT = re.compile(
    r"(?:^|;)\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)

_MAX_REMEMBERED = 1000  # bytes: those of browsers have 150 at most


def formats_of(accept: tuple[bytes, ...]) -> tuple[tuple[Format, ...], tuple[Format, ...]]:
    """Return the formats that `format=auto` chooses from, for lossy and for lossless outputs.

    Clients with equal ones get equal answers, whatever their `Accept` looks like.
    """
    short = sum(map(len, accept)) <= _MAX_REMEMBERED
    return _formats_of(accept) if short else _formats_of.__wrapped__(accept)


@lru_cache(512)
def _formats_of(accept: tuple[bytes, ...]) -> tuple[tuple[Format, ...], tuple[Format, ...]]:
    lines = [line.decode("latin-1") for line in accept]
    lossy, lossless = (
        negotiate_format(Output(format=AUTO, lossless=lossless), lines).among
        for lossless in (False, True)
    )
    return lossy, lossless


def negotiate_format(output: Output, lines: Sequence[str]) -> Output:
    """Return an output of format `auto` limited to the formats that `Accept` prefers most.

    Any other output comes back unchanged. When the header accepts no possible format, `among` stays
    empty and the image decides: RFC 9110 allows a server to disregard such a header.
    """
    if output.format != AUTO:
        return output
    weights = _weights(lines)
    possible = [f for f in AUTO_FORMATS if not output.lossless or f.spec.lossless]
    quality = {format: _weight(weights, format) for format in possible}
    best = max(quality.values())
    among = tuple(format for format in possible if best and quality[format] == best)
    return output.model_copy(update={"among": among})


def _weight(weights: Mapping[str, float], format: Format) -> float:
    """Return the weight of the most specific media range that matches; 0 if none does.

    Wildcards don't match formats that many clients with a `*/*` can't decode.
    """
    media_type = format.spec.media_type
    for name in (media_type,) if format.spec.needs_accept else (media_type, "image/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0


def _weights(lines: Sequence[str]) -> dict[str, float]:
    """Return the weight of each media range, in lower case; malformed elements are left out."""
    weights: dict[str, float] = {}
    for element in split_list(lines):
        match = _RANGE.fullmatch(element.rstrip())
        if match is None:
            continue
        parameters = match[2] or ""
        weight = _WEIGHT.search(parameters)
        if weight is not None:
            weights[match[1].lower()] = float(weight[1])
        elif not re.search(r"(?:^|;)\s*q\s*=", parameters, re.IGNORECASE):
            weights[match[1].lower()] = 1.0
    return weights

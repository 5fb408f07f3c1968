"""Lifetime of a web server's answer in a shared cache, by RFC 9111 and RFC 5861."""

import re
import time
from email.utils import parsedate_to_datetime

import httpx

from services.gateway.sources.configuration import SourceTable
from services.gateway.sources.kinds.origin import Lifetime

_DIRECTIVE = re.compile(r'([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s",;]*)))?')
_LONGEST = 31_536_000.0  # seconds
_HEURISTIC = 24 * 3600.0  # seconds: the most that a guess gives
_PART = 0.1  # of the time since its last change (RFC 9111, section 4.2.2)
_NEVER = Lifetime(0.0, 0.0, 0.0, stored=False)


def lifetime_of(headers: httpx.Headers, source: SourceTable, *, took: float) -> Lifetime:
    """Return the lifetime of an answer that has taken `took` seconds.

    Where the server says nothing, a tenth of the time since the last change counts, for a day at
    most, or else the `fresh` of the source.
    """
    directives = _directives(headers)
    if directives.keys() & {"no-store", "private"} or "*" in headers.get("vary", ""):
        return _NEVER
    if "no-cache" in directives:
        return Lifetime(0.0, 0.0, 0.0)
    total = _explicit(directives, headers)
    if total is None:
        total = _guess(headers, source)
    fresh = max(0.0, min(total, _LONGEST) - _age(headers, took))
    strict = bool(directives.keys() & {"must-revalidate", "proxy-revalidate"})
    # `s-maxage` forbids stale answers, too, unless the server itself allows them beside it.
    silent = strict or "s-maxage" in directives

    def extension(name: str, default: int) -> float:
        if strict:
            return 0.0
        said = _seconds(directives[name]) if name in directives else None
        return min(_LONGEST, (0.0 if silent else float(default)) if said is None else said)

    return Lifetime(
        fresh,
        extension("stale-while-revalidate", source.stale_while_revalidate),
        extension("stale-if-error", source.stale_if_error),
    )


def says_lifetime(headers: httpx.Headers) -> bool:
    """Return whether a server says anything of the lifetime of its answer."""
    return "cache-control" in headers or "expires" in headers


def _directives(headers: httpx.Headers) -> dict[str, str]:
    """Return the directives of Cache-Control in lower case; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(headers.get("cache-control", "")):
        found.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3] or "")
    return found


def _explicit(directives: dict[str, str], headers: httpx.Headers) -> float | None:
    """Return the lifetime that a server names, of which a malformed one is none at all."""
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return _seconds(directives[name])
    if "expires" not in headers:
        return None
    ends, sent = _moment(headers["expires"]), _moment(headers.get("date"))
    return 0.0 if ends is None else max(0.0, ends - (time.time() if sent is None else sent))


def _guess(headers: httpx.Headers, source: SourceTable) -> float:
    changed = _moment(headers.get("last-modified"))
    if changed is None:
        return float(source.fresh)
    sent = _moment(headers.get("date"))
    since = (time.time() if sent is None else sent) - changed
    return min(_HEURISTIC, max(0.0, since * _PART))


def _age(headers: httpx.Headers, took: float) -> float:
    """Return the age of an answer (RFC 9111, section 4.2.3)."""
    sent = _moment(headers.get("date"))
    apparent = (
        0.0 if sent is None else max(0.0, time.time() - sent - 1.0)
    )  # dates have no fractions
    return max(apparent, _seconds(headers.get("age", "0").partition(",")[0]) + took)


def _seconds(text: str) -> float:
    """Return a number of seconds; 0 for a malformed one."""
    text = text.strip()
    return (
        min(float(text), _LONGEST)
        if text.isascii() and text.isdecimal() and len(text) < 20
        else 0.0
    )


def _moment(date: str | None) -> float | None:
    """Return a date in seconds since 1970; None for a malformed one."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None

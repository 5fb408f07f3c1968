"""Sign URLs of a gateway, for pages whose readers have no key: `darkroom-url-1`."""

import math
import re
import time
from collections.abc import Sequence
from urllib.parse import quote

from contracts.access.signing import EXPIRY, FREE, KEY_ID, SIGNATURE, read, secret_of, signature_of

HOUR = 3600

_ORIGIN = re.compile(r"[^/]*://[^/]*")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def sign(
    url: str,
    *,
    kid: str,
    secret: str,
    expires: int | None = None,
    grid: int = HOUR,
    free: Sequence[str] = (),
    prefix: str = "",
    now: float | None = None,
) -> str:
    """Return a URL with its signature, which a GET or HEAD without a key may use.

    `url` is a whole URL, or a path, with its query; its encoding is made canonical. `kid` names
    the signing key, and `secret` is its secret in hexadecimal digits. `expires` is the number of
    seconds for which the URL is valid at least. The moment is rounded up to the next multiple of
    `grid` seconds, or of `expires` if that is less, so that a page has the same URL, which caches
    have an answer for, until then. `free` lists variables of the query's preset that may be
    changed afterwards. `prefix` is the path below which a proxy serves the gateway: it is not
    signed. `now` is the present, in seconds since 1970.

    Raises ValueError for a URL that can't be signed, and never repeats the secret.
    """
    if "#" in url:
        raise ValueError("a signed URL has no fragment")
    base, question, query = url.partition("?")
    origin, path = _split(base)
    if not path.startswith(f"{prefix}/"):
        raise ValueError(f"the path does not begin with {prefix}/")
    own = [(KEY_ID, kid)]
    if expires is not None:
        own.append((EXPIRY, str(_moment(expires, grid, time.time() if now is None else now))))
    if free:
        own.append((FREE, ",".join(free)))
    parts = [query] if question else []
    parts += [f"{name}={quote(value, safe='')}" for name, value in own]
    signable = read(
        path.removeprefix(prefix).encode(), quote("&".join(parts), safe=_ASCII).encode()
    )
    if signable.sig is not None:
        raise ValueError("the URL is signed already")
    signature = signature_of(signable.message, secret_of(secret))
    return f"{origin}{path}?{signable.text}&{SIGNATURE}={signature}"


def _split(base: str) -> tuple[str, str]:
    """Return the origin and the path of a URL without its query."""
    match = _ORIGIN.match(base)
    return (match[0], base[match.end() :]) if match else ("", base)


def _moment(expires: int, grid: int, now: float) -> int:
    if expires < 1 or grid < 1:
        raise ValueError("expires and grid are whole seconds, from 1")
    step = min(grid, expires)
    return math.ceil((now + expires) / step) * step

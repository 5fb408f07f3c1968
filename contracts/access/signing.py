"""Signed URLs, `darkroom-url-1`: the canonical form that is signed, and its signature.

The signature is HMAC-SHA256 over three lines: the name of the scheme, the path and the query. The
query is decoded to pairs without `sig`, sorted by name and encoded again, so that a URL has one
form, however a proxy or a template has written it. Gateway and client share this module; the guide
has its vectors, and `clients/js` has the same in JavaScript.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote_from_bytes, unquote_to_bytes

SCHEME = "darkroom-url-1"
SIGNATURE, KEY_ID, EXPIRY, FREE = "sig", "kid", "exp", "free"
PRESET = "preset"

MAX_PATH = 1024
"""Bytes of a signed path."""
MAX_QUERY = 8192
"""Bytes of a signed query, as it is sent and in its canonical form."""
MAX_AHEAD = 10 * 366 * 24 * 3600
"""Seconds from now to the latest `exp`. A moment in milliseconds lies far beyond."""

_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")
_PRINTABLE = re.compile(rb"[\x21-\x7e]*")
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EXPIRY = re.compile(r"[1-9][0-9]{0,15}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_OWN = frozenset({SIGNATURE, KEY_ID, EXPIRY, FREE})
_NEVER_FREE = _OWN | {PRESET, "op", "src", "v"}
_SECRET = re.compile(r"(?:[0-9A-Fa-f]{2}){32,64}")


class Fault(StrEnum):
    """Kind of a fault in a signed URL. The vectors name each by its value."""

    TOO_LONG = "too_long"
    PATH = "path"
    ENCODING = "encoding"
    SIGNATURE = "sig"
    KEY_ID = "kid"
    EXPIRY = "exp"
    EXPIRED = "expired"
    FREE = "free"


class SignatureFault(ValueError):
    """A URL can't be signed, or its signature does not count; `fault` says of which kind it is."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Signable:
    """Parsed path and query of a URL: the text that is signed, and the parameters that count."""

    message: bytes
    """The bytes that the signature is computed from."""
    query: str
    """The canonical query that is asked: without `sig`, `kid`, `exp` and `free`."""
    text: str
    """Canonical query of the URL, without `sig`."""
    kid: str
    exp: int | None
    free: tuple[str, ...]
    """Names whose values the signature does not cover."""
    sig: str | None

    def check_expiry(self, now: float) -> None:
        """Raise SignatureFault if the URL has expired, or names a moment out of all proportion."""
        if self.exp is None:
            return
        if self.exp <= now:
            raise SignatureFault(Fault.EXPIRED, "The URL has expired.")
        if self.exp > now + MAX_AHEAD:
            raise SignatureFault(
                Fault.EXPIRY, "`exp` is in seconds since 1970, and at most ten years ahead."
            )


def read(path: bytes, query: bytes) -> Signable:
    """Read a path, without the prefix of a proxy, and a query. Raises SignatureFault.

    `kid` must be there. The signature is not checked, and neither is the moment of `exp`.
    """
    if len(path) > MAX_PATH or len(query) > MAX_QUERY:
        raise SignatureFault(
            Fault.TOO_LONG,
            f"A signed path has {MAX_PATH} bytes at most, a signed query {MAX_QUERY}.",
        )
    if not _PATH.fullmatch(path):
        raise SignatureFault(
            Fault.PATH,
            "A signed path has letters, digits, `-`, `.`, `_`, `~` and single slashes alone.",
        )
    pairs = _pairs(query)
    counts = Counter(name for name, _ in pairs)
    given = dict(pairs)
    for name, fault in ((SIGNATURE, Fault.SIGNATURE), (EXPIRY, Fault.EXPIRY), (FREE, Fault.FREE)):
        if counts[name] > 1:
            raise SignatureFault(fault, f"`{name}` is there more than once.")
    if counts[KEY_ID] != 1 or not is_key_id(given[KEY_ID]):
        raise SignatureFault(Fault.KEY_ID, "One `kid` has to name the signing key.")
    exp = given.get(EXPIRY)
    if exp is not None and not _EXPIRY.fullmatch(exp):
        raise SignatureFault(Fault.EXPIRY, "`exp` is a whole number of seconds since 1970.")
    free = _free_names(given.get(FREE), counts)

    # Python's sort is stable: values of one name keep their order.
    in_order = sorted(
        (pair for pair in pairs if pair[0] != SIGNATURE), key=lambda pair: pair[0].encode()
    )
    text = _encoded(in_order)
    if len(text) > MAX_QUERY:
        raise SignatureFault(Fault.TOO_LONG, f"The canonical query has {MAX_QUERY} bytes at most.")
    covered = _encoded([pair for pair in in_order if pair[0] not in free]) if free else text
    return Signable(
        message=b"\n".join((SCHEME.encode(), path, covered.encode())),
        query=_encoded([pair for pair in in_order if pair[0] not in _OWN]),
        text=text,
        kid=given[KEY_ID],
        exp=None if exp is None else int(exp),
        free=free,
        sig=given.get(SIGNATURE),
    )


def signature_of(message: bytes, secret: bytes) -> str:
    """Return the signature of a `Signable.message`: 43 characters of base64url."""
    return urlsafe_b64encode(hmac.digest(secret, message, sha256)).rstrip(b"=").decode()


def is_signed(signable: Signable, secret: bytes) -> bool:
    """Return whether the signature of a URL was made with a secret, in constant time."""
    if signable.sig is None or not signable.sig.isascii():
        return False
    return hmac.compare_digest(signature_of(signable.message, secret), signable.sig)


def is_key_id(text: str) -> bool:
    """Return whether a text may be the name of a signing key, its `kid`."""
    return _KEY_ID.fullmatch(text) is not None


def secret_of(text: str) -> bytes:
    """Return the bytes of a secret, which is written as hexadecimal digits.

    Raises ValueError, without the text, unless it has 32 to 64 bytes.
    """
    if not _SECRET.fullmatch(text):
        raise ValueError("a secret is 64 to 128 hexadecimal digits: 32 to 64 bytes")
    return bytes.fromhex(text)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """Decode a query. Raises SignatureFault for one that two programs could read differently."""
    if not _PRINTABLE.fullmatch(query) or _MALFORMED.search(query):
        raise SignatureFault(
            Fault.ENCODING, "The query has a byte, or a `%`, that is not percent-encoded."
        )
    pairs = []
    for part in query.split(b"&"):
        name, equals, value = part.partition(b"=")
        if not name or not equals:
            raise SignatureFault(Fault.ENCODING, "Each part of the query is `name=value`.")
        pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: bytes) -> str:
    try:
        decoded = unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise SignatureFault(Fault.ENCODING, "The query is not UTF-8.") from None
    if "\0" in decoded:
        raise SignatureFault(Fault.ENCODING, "The query has a NUL.")
    return decoded


def _encoded(pairs: list[tuple[str, str]]) -> str:
    """Encode pairs with every byte but the unreserved ones (RFC 3986, section 2.3) as `%XX`."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote_from_bytes(text.encode(), safe="")


def _free_names(value: str | None, counts: Counter[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(value.split(","))
    if counts[PRESET] != 1:
        raise SignatureFault(Fault.FREE, "`free` names variables of a `preset`, and there is none.")
    for name in names:
        if not _NAME.fullmatch(name) or name in _NEVER_FREE or names.count(name) > 1:
            raise SignatureFault(
                Fault.FREE, "`free` lists names of a preset's variables: `free=w,dpr`."
            )
        if counts[name] != 1:
            raise SignatureFault(Fault.FREE, f"`{name}` is free, and has to be there once.")
    return names

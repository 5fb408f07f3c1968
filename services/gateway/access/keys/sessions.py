"""Session cookies: what a browser gets for a key, and sends where it can't send the key itself.

A cookie is `{key id}.{end}.{MAC}`. The MAC covers the digest of the key's secret, so that a cookie
dies with its key and with a rotation of it, and nothing of it is stored.
"""

import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode

from starlette.types import Scope

from services.gateway.access.caller import Caller
from services.gateway.access.keys.keyring import Keyring
from services.gateway.middleware.prefix import prefix_of

COOKIE = "darkroom_session"
"""The name of the cookie over http. Over https, `cookie_name` adds a prefix."""

_FORM = re.compile(r"([a-z2-7]{8,10})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


def cookie_name(scope: Scope) -> str:
    """Return the name of the cookie for a request.

    Browsers take the names over https from a secure page alone, and `__Host-` from this very host:
    no other host of the domain can put its own cookie in front (RFC 6265bis, section 4.1.3).
    """
    if scope["scheme"] not in ("https", "wss"):
        return COOKIE
    # `__Host-` demands the path `/`.
    return f"__Secure-{COOKIE}" if prefix_of(scope) else f"__Host-{COOKIE}"


def make_session(key_id: str, ends: int, digest: bytes, secret: bytes) -> str:
    """Return the value of a cookie that ends at a moment in seconds since 1970."""
    return f"{key_id}.{ends}.{_mac(key_id, str(ends), digest, secret)}"


def caller_in_session(value: str, keyring: Keyring) -> Caller | None:
    """Return the caller that a cookie's value belongs to; None if it has ended or is forged."""
    match = _FORM.fullmatch(value)
    if match is None:
        return None
    key_id, ends, mac = match.groups()
    known = keyring.caller_of_id(key_id)
    if known is None or not keyring.session_secret or time.time() >= int(ends):
        return None
    caller, digest = known
    expected = _mac(key_id, ends, digest, keyring.session_secret)
    return caller if hmac.compare_digest(expected, mac) else None


def _mac(key_id: str, ends: str, digest: bytes, secret: bytes) -> str:
    signed = b"darkroom-session-1\n%b\n%b\n%b" % (key_id.encode(), ends.encode(), digest)
    return urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode().rstrip("=")

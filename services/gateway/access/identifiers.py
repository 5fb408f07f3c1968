"""Ways to identify the caller of a request, in order: the first that finds one counts."""

from collections.abc import Callable

from starlette.types import Scope

from contracts.errors import Unauthorized
from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.keys.sessions import COOKIE, caller_in_session, cookie_name

Identifier = Callable[[Scope, bool], Caller | None]
"""Returns the caller of a request, or None if the request says nothing of that kind.

The second argument says whether the keys in memory were read after the request had come. If they
were not, and do not tell whose it is, KeysOutdated is raised. Raises a ServiceError if the request
says wrongly whose it is.
"""

_AUTHORIZATION, _COOKIE = b"authorization", b"cookie"
_BEARER = b"bearer "
_SESSION = f"{COOKIE}=".encode()
_MOST_COOKIES = 4  # a browser sends one of each path and domain; each costs a MAC


def everybody(scope: Scope, newest: bool) -> Caller | None:
    """Take every request, while access is open."""
    return EVERYBODY


class BearerKeys:
    """Identifies requests with `Authorization: Bearer` and a key (RFC 6750).

    Other schemes are a proxy's affair. Raises Unauthorized for a key that does not count.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def __call__(self, scope: Scope, newest: bool) -> Caller | None:
        given = keys_in(scope)
        if not given:
            return None
        if len(given) > 1:
            raise Unauthorized("The request has several keys.")
        text = given[0].decode("latin-1")
        caller = self._keyring.find(lambda keyring: keyring.caller_with(text), newest=newest)
        if caller is None:
            raise Unauthorized("The key is unknown, revoked or expired.")
        return caller


def keys_in(scope: Scope) -> list[bytes]:
    """Return the keys in the header of a request, which should be one at most."""
    return [
        value[len(_BEARER) :].strip()
        for name, value in scope["headers"]
        if name == _AUTHORIZATION and value[: len(_BEARER)].lower() == _BEARER
    ]


class SessionCookies:
    """Identifies requests of browsers that are signed in; an ended cookie is ignored."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def __call__(self, scope: Scope, newest: bool) -> Caller | None:
        values = _sessions_in(scope)
        if not values:
            return None

        def look(keyring: Keyring) -> Caller | None:
            callers = (caller_in_session(value, keyring) for value in values)
            return next(filter(None, callers), None)

        return self._keyring.find(look, newest=newest)


def _sessions_in(scope: Scope) -> list[str]:
    """Return the first values of session cookies in a request."""
    fields = [value for name, value in scope["headers"] if name == _COOKIE and _SESSION in value]
    if not fields:
        return []
    start = f"{cookie_name(scope)}=".encode()
    cookies = [pair.strip() for value in fields for pair in value.split(b";")]
    found = [one[len(start) :].decode("latin-1") for one in cookies if one.startswith(start)]
    return found[:_MOST_COOKIES]

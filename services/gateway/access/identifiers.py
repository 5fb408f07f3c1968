"""Ways in which a request says whose it is. The first one that finds a caller counts."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.types import Scope

from contracts.errors import Unauthorized
from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.keys.sessions import COOKIE, caller_in_session

Identifier = Callable[[Scope], Awaitable[Caller | None]]
"""Returns the caller of a request, or None if the request says nothing of that kind.

Raises a ServiceError if the request says so wrongly.
"""

_AUTHORIZATION, _COOKIE = b"authorization", b"cookie"
_BEARER = b"bearer "
_COOKIE_START = f"{COOKIE}=".encode()


async def everybody(scope: Scope) -> Caller | None:
    """Take every request, while access is open."""
    return EVERYBODY


class BearerKeys:
    """Identifies requests with `Authorization: Bearer` and a key (RFC 6750).

    Other schemes are a proxy's affair. Raises Unauthorized for a key that does not count.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, scope: Scope) -> Caller | None:
        given = keys_in(scope)
        if not given:
            return None
        if len(given) > 1:
            raise Unauthorized("The request has several keys.")
        text = given[0].decode("latin-1")
        caller = await self._keyring.find(lambda keyring: keyring.caller_with(text))
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
    """Identifies requests of browsers that are signed in; a cookie that has ended says nothing."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, scope: Scope) -> Caller | None:
        for name, value in scope["headers"]:
            if name != _COOKIE or _COOKIE_START not in value:
                continue
            for pair in value.split(b";"):
                cookie = pair.strip()
                if cookie.startswith(_COOKIE_START):
                    text = cookie[len(_COOKIE_START) :].decode("latin-1")
                    return await self._keyring.find(partial(caller_in_session, text))
        return None

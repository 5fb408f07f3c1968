"""The caller of a request, as `AccessMiddleware` has found it."""

from dataclasses import dataclass

from starlette.types import Scope

from contracts.access.keys import DEFAULT_PROJECT, EVERY_SCOPE, KeyLimits, KeyScope
from contracts.errors import Forbidden

_CALLER = "darkroom.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """The client that a request comes from: its project, and what it may do there."""

    project: str = DEFAULT_PROJECT
    scopes: frozenset[KeyScope] = EVERY_SCOPE
    key: str = ""
    """The id of its API key; empty without one."""
    shared: bool = True
    """True if caches may give the caller's answers to other clients."""
    ends: int | None = None
    """End of the caller's permission, in seconds since 1970; None without an end."""
    limits: KeyLimits | None = None
    """The limits of its API key; None for those of the settings."""

    @property
    def is_visitor(self) -> bool:
        """True for a caller with a signed URL or a public preset, and no key."""
        return not self.key and self is not EVERYBODY


EVERYBODY = Caller()
"""The caller of every request while access is open."""


NOBODY = Caller(scopes=frozenset())
"""The caller of a request that needs no key, under keys."""


def set_caller(scope: Scope, caller: Caller) -> None:
    """Note the caller of a request."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Caller:
    """Return the caller of a request that has passed `AccessMiddleware`."""
    caller: Caller = scope[_CALLER]
    return caller


def require(scope: Scope, needed: KeyScope) -> None:
    """Raise Forbidden unless the caller of a request has a scope.

    `rules.py` says what each route needs; this is for a route that needs more for some requests.
    """
    check_scope(caller_of(scope), needed)


def check_scope(caller: Caller, needed: KeyScope) -> None:
    """Raise Forbidden unless a caller has a scope."""
    if needed not in caller.scopes:
        raise Forbidden(f"This request needs a key with the scope `{needed}`.")

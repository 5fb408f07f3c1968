"""The key of a request: all that an answer of the delivery routes depends on, and nothing else.

A browser sends dozens of header fields, and few of them change such an answer. Requests with a
field that changes it in a way that the cache does not know go to the routes.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from starlette.types import Scope

from contracts.access.keys import KeyScope
from services.gateway.access.caller import caller_of
from services.gateway.access.presets.middleware import preset_of
from services.gateway.delivery.cache import Key
from services.gateway.http.accept import formats_of
from services.gateway.middleware.fields import Field

_PATHS = b"/v1/images/"
_FETCH = b"/v1/fetch"
_AUTO = b"format=auto"
_ACCEPT, _CACHE_CONTROL, _IF_NONE_MATCH = b"accept", b"cache-control", b"if-none-match"
_AGAIN = b"no-cache"
_OTHERS = frozenset(
    {
        *(b"range", b"if-range", b"if-match", b"prefer"),
        # A body, which routes refuse or drop.
        *(b"content-length", b"transfer-encoding", b"expect"),
    }
)
_FIELDS = _OTHERS | {_ACCEPT, _CACHE_CONTROL, _IF_NONE_MATCH}


Terms = tuple[tuple[bytes, ...], tuple[bytes, ...], bool]
"""Fields of a request's header that decide its answer, if the cache knows all of them.

The lines of `Accept`, those of `If-None-Match`, and whether its client asks for a new answer.
"""


class Question(NamedTuple):
    """A request that the cache may answer."""

    key: Key
    tags: tuple[bytes, ...]
    """The lines of `If-None-Match`."""
    again: bool
    """True if the client asks for a new answer, and may do so."""


def may_be_kept(scope: Scope) -> bool:
    """Return whether the method and the path of a request are those of kept answers."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    path: bytes = scope["raw_path"]
    return _PATHS in path or path.endswith(_FETCH)


def terms_of(headers: Iterable[Field]) -> Terms | None:
    """Return what a header says of the answer; None for one that the routes must answer."""
    tags: tuple[bytes, ...] = ()
    accept: tuple[bytes, ...] = ()
    again = False
    for name, value in headers:
        if name not in _FIELDS:
            continue
        if name == _ACCEPT:
            accept = (*accept, value)
        elif name == _IF_NONE_MATCH:
            tags = (*tags, value)
        elif name == _CACHE_CONTROL:
            again = again or _AGAIN in value.lower()
        else:
            return None
    return accept, tags, again


def question_of(scope: Scope) -> Question | None:
    """Return the key of a request and its condition; None for one that the routes must answer."""
    terms = terms_of(scope["headers"]) if may_be_kept(scope) else None
    return None if terms is None else asked_in(terms, scope)


def asked_in(terms: Terms, scope: Scope) -> Question:
    """Return the question of a request whose path and header the cache knows."""
    accept, tags, again = terms
    again = again and KeyScope.AFRESH in caller_of(scope).scopes
    query: bytes = scope["query_string"]
    formats: Hashable = None
    # An answer that depends on `Accept` without these bytes in its query is not kept.
    if _AUTO in query:
        formats = formats_of(accept)
    return Question((audience_of(scope), scope["raw_path"], query, formats), tags, again)


def audience_of(scope: Scope) -> Hashable:
    """Return who may see the answer to a request: its project, until the caller's permission ends.

    Access was decided before, so the key itself does not count. What caches are told of a caller
    who is not `shared` is said when the answer is sent. A preset says for how long they may keep
    the answer, and which sources its images may have.
    """
    caller, preset = caller_of(scope), preset_of(scope)
    return caller.project, caller.ends, (preset.max_age, preset.sources) if preset else None


def depends_on_accept(key: Key) -> bool:
    """Return whether a key has the formats that its client accepts."""
    return key[3] is not None


def names_tag(lines: tuple[bytes, ...], tag: bytes) -> bool:
    """Return whether `If-None-Match` names an entity tag, by weak comparison, or any (`*`)."""
    if lines == (tag,):
        return True
    listed = {one.strip() for one in b",".join(lines).split(b",")}
    return b"*" in listed or tag in {one.removeprefix(b"W/") for one in listed}

"""Conditional requests: whether the client's copy is current (RFC 9110, section 13.2.2).

Images and descriptions have an entity tag and no date of modification. `If-Unmodified-Since` and
`If-Modified-Since` are ignored for them, as sections 13.1.3 and 13.1.4 prescribe.
"""

from email.utils import parsedate

from starlette.datastructures import Headers

from contracts.errors import PreconditionFailed


def is_not_modified(request: Headers, tag: str, modified: str | None = None) -> bool:
    """Return whether a GET is answered by 304, of a resource with this entity tag and date.

    Call this when the answer without conditions would be a 200. Raises PreconditionFailed. A
    condition about entity tags makes that about a date count for nothing.
    """
    changed = _moment(modified)
    if "if-match" in request:
        check_match(request, tag)
    elif changed and (known := _moment(request.get("if-unmodified-since"))) and changed > known:
        raise PreconditionFailed(f"The content was changed after If-Unmodified-Since: {modified}.")
    if "if-none-match" in request:
        return has_copy(request, tag) or "*" in _listed(request, "if-none-match")
    known = _moment(request.get("if-modified-since"))
    return changed is not None and known is not None and changed <= known


def check_match(request: Headers, tag: str) -> None:
    """Raise PreconditionFailed if the request has an `If-Match` without this entity tag."""
    if "if-match" in request and not _listed(request, "if-match") & {tag, "*"}:
        raise PreconditionFailed("If-Match names no entity tag of the current content.")


def has_copy(request: Headers, tag: str) -> bool:
    """Return whether If-None-Match names `tag`, by weak comparison (RFC 9110, section 8.8.3.2)."""
    return tag in {listed.removeprefix("W/") for listed in _listed(request, "if-none-match")}


def _listed(request: Headers, name: str) -> set[str]:
    """Return the elements of a list of entity tags, which may have several lines.

    A comma within a tag would split it, but no tag of the gateway has one.
    """
    return {listed.strip() for listed in ",".join(request.getlist(name)).split(",")}


def _moment(date: str | None) -> tuple[int, ...] | None:
    """Return a date of any of HTTP's three forms; None for a malformed one, which is ignored."""
    parsed = parsedate(date) if date else None
    return parsed and parsed[:6]

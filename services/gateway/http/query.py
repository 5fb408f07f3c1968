"""Limits of a query: its length, and the parameters that the route documents."""

from collections.abc import Sequence
from difflib import get_close_matches

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from contracts.errors import InvalidRequest
from services.gateway.http.openapi_document import DocumentedApplication

_MAX_QUERY = 8192  # bytes
_MAX_NAME = 40  # characters of an unknown name that the error repeats


async def check_query(connection: HTTPConnection) -> None:
    """Raise InvalidRequest for a query longer than any sensible pipeline, before parsing it.

    Also for a parameter that the route does not document, a misspelt one say.
    """
    if not connection.scope["query_string"]:
        return
    is_http = connection.scope["type"] == "http"  # WebSockets take no parameters
    if is_http and len(connection.scope["query_string"]) > _MAX_QUERY:
        raise InvalidRequest(f"The query may have {_MAX_QUERY} bytes at most.")
    known = _documented_parameters(connection)
    if known is None:
        return
    for name in connection.query_params:
        if name not in known:
            shown = name[:_MAX_NAME]
            similar = get_close_matches(shown, known, n=1)
            listing = f"there are: {', '.join(known)}" if known else "there are none"
            hint = f"did you mean {similar[0]!r}?" if similar else f"{listing}."
            raise InvalidRequest(f"{shown!r} is not a parameter here; {hint}")


def _documented_parameters(connection: HTTPConnection) -> Sequence[str] | None:
    """Return the query parameters of the route; None if it is not in the OpenAPI document."""
    route, method = connection.scope.get("route"), connection.scope.get("method", "")
    if not isinstance(route, APIRoute) or not route.include_in_schema:
        return None
    if method not in (route.methods or ()):
        return None
    app: DocumentedApplication = connection.app
    return app.query_parameters(route)

"""The parameters of a query: one that a route does not know is refused, not passed over."""

from difflib import get_close_matches

from starlette.requests import HTTPConnection

from contracts.errors import InvalidRequest

_SHOWN = 40  # letters of a name that is wrong


async def refuse_unknown_parameters(connection: HTTPConnection) -> None:
    """A parameter that is misspelt would otherwise do nothing. Raises InvalidRequest."""
    if not connection.query_params:
        return
    known = _known(connection)
    if known is None:
        return
    for name in connection.query_params:
        if name not in known:
            wrong = name[:_SHOWN]
            near = get_close_matches(wrong, known, n=1)
            there_are = f"there are: {', '.join(known)}" if known else "there are none"
            hint = f"did you mean {near[0]!r}?" if near else f"{there_are}."
            raise InvalidRequest(f"{wrong!r} is not a parameter here; {hint}")


def _known(connection: HTTPConnection) -> list[str] | None:
    """The parameters that the document has for this route; None where it is silent about it."""
    route, method = connection.scope.get("route"), connection.scope.get("method", "")
    # Made once, and kept by the application.
    paths = connection.app.openapi()["paths"]
    operation = paths.get(getattr(route, "path", None), {}).get(method.lower())
    if operation is None:
        return None
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]

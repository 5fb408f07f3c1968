"""One span per HTTP request, in the trace that the request's `traceparent` header names."""

from collections import defaultdict

from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.telemetry.tracing import TRACE_HEADERS, continued_span

_FIELDS = frozenset(name.encode() for name in TRACE_HEADERS)


class TraceMiddleware:
    """Starts a span for each request; calls made meanwhile become its children."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method", "WS")
        with continued_span(method, _trace_context(scope)) as span:
            await self._app(scope, receive, send)
            # The router sets the route. Its pattern and not the path: one name for all ids.
            route = getattr(scope.get("route"), "path", "")
            span.update_name(f"{method} {route}".strip())


def names_trace(scope: Scope) -> bool:
    """Return whether a request belongs to a trace of its client."""
    return not _FIELDS.isdisjoint([name for name, _ in scope["headers"]])


def _trace_context(scope: Scope) -> dict[str, list[str]]:
    """Return the lines of each request header that carries a trace context."""
    lines = defaultdict[str, list[str]](list)
    for name, value in scope["headers"]:
        if name in _FIELDS:
            lines[name.decode()].append(value.decode("latin-1"))
    return lines

"""One span per HTTP request, in the trace that the request's `traceparent` header names."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.telemetry.tracing import server_span


class TraceMiddleware:
    """Starts a span for each request; calls made meanwhile become its children."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method", "WS")
        with server_span(method, Headers(scope=scope)) as span:
            await self._app(scope, receive, send)
            # The router sets the route. Its pattern and not the path: one name for all ids.
            route = getattr(scope.get("route"), "path", "")
            span.update_name(f"{method} {route}".strip())

"""Each HTTP request is a span, within the trace that its `traceparent` names."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.telemetry.tracing import server_span


class TraceMiddleware:
    """Takes a request's trace context in; what is called meanwhile carries it on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method", "WS")
        with server_span(method, Headers(scope=scope)) as span:
            await self._app(scope, receive, send)
            # Known only now, and never the path itself: there would be a name for every id.
            route = getattr(scope.get("route"), "path", "")
            span.update_name(f"{method} {route}".strip())

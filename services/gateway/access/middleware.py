"""Find the caller of each request, in front of everything that answers requests."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.access.caller import EVERYBODY, set_caller


class AccessMiddleware:
    """Notes who asks before the request is answered: everybody, while access is open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the caller, and pass the request on."""
        set_caller(scope, EVERYBODY)
        await self._app(scope, receive, send)

"""Callers of requests, for applications without the middleware that finds them."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.access.caller import EVERYBODY, Caller, set_caller


def called_by(app: ASGIApp, caller: Caller = EVERYBODY) -> ASGIApp:
    """Return an application whose requests all come from one caller."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        set_caller(scope, caller)
        await app(scope, receive, send)

    return called

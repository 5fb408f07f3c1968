"""Count the calls of limited callers, and tell them what is left."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ServiceError
from services.gateway.access.caller import caller_of
from services.gateway.access.limits.account import Account
from services.gateway.access.limits.limiter import Limiter, set_account
from services.gateway.middleware.fields import STARTS
from services.runtime.redis.client import redis_errors

_API = "/v1/"
_STARTS = (*STARTS, "websocket.accept")
_NOT_SERVED = 503

Refuse = Callable[[ServiceError, Scope], ASGIApp]
"""Returns the application that answers a refused request."""


class LimitsMiddleware:
    """Passes requests that are within the limits of their caller, and refuses others with 429.

    Requests for anything but the API count for nothing. A request that ends in a 503 costs no call.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter, *, refuse: Refuse) -> None:
        self._app = app
        self._limiter = limiter
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        account = self.account_of(scope)
        if account is None:
            await self._app(scope, receive, send)
            return
        limited, app, counted = account, self._app, True
        try:
            with redis_errors():
                await account.take_call()
        except ServiceError as exc:
            app, counted = self._refuse(exc, scope), False
        set_account(scope, account)

        async def send_with_fields(message: Message) -> None:
            if message["type"] in _STARTS:
                if counted and message.get("status") == _NOT_SERVED:
                    limited.give_back_call()
                # A new list: the answer's own one may be that of other answers as well.
                message["headers"] = [*message.get("headers", ()), *limited.fields()]
            await send(message)

        await app(scope, receive, send_with_fields)

    def account_of(self, scope: Scope) -> Account | None:
        """Return the account that a request counts for; None for a request without limits."""
        return self._limiter.account_of(caller_of(scope)) if _counts(scope) else None


def _counts(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_API)

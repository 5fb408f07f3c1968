"""Turn every exception of a request into a problem document, and log it once."""

import asyncio
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import (
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    UnsupportedMediaType,
)
from contracts.explanations import describe
from services.gateway.http.freshness import MissingImage, freshness_of_missing
from services.gateway.http.problems import problem
from services.runtime.redis.client import store_error

log = structlog.get_logger(__name__)

_STOPPED = DeadlineExceeded("The gateway stopped before this request was complete.")
_NO_RESOURCE = NotFound("There is nothing at this address.")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every exception in `app` with a problem document, except those of Redis.

    `redis_error` handles those; the application's root registers it, which knows their class.
    """

    @app.exception_handler(ServiceError)
    async def service_error(request: Request, exc: ServiceError) -> JSONResponse:
        log.info("refused", code=exc.code, detail=exc.detail, path=request.url.path)
        headers = freshness_of_missing(exc.life) if isinstance(exc, MissingImage) else None
        return problem(exc.failure(), request.scope, headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, exc: RequestValidationError) -> JSONResponse:
        if all(error["loc"][0] == "path" for error in exc.errors()):
            # No resource has ever had an id or index of this form.
            return problem(_NO_RESOURCE.failure(), request.scope)
        clauses = [
            f"{'.'.join(str(name)[:40] for name in error['loc'])}: {describe(error)}"
            for error in exc.errors()[:5]
        ]
        return problem(InvalidRequest("; ".join(clauses)).failure(), request.scope)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, exc: HTTPException) -> JSONResponse:
        scope, headers = request.scope, dict(exc.headers or {})
        match exc.status_code:
            case HTTPStatus.NOT_FOUND:
                return problem(_NO_RESOURCE.failure(), scope, headers)
            case HTTPStatus.METHOD_NOT_ALLOWED:
                error = MethodNotAllowed(f"{request.method} is not allowed at this address.")
                headers["Allow"] = _allowed_methods(request)
                return problem(error.failure(), scope, headers)
            case HTTPStatus.REQUEST_TIMEOUT as status:
                late = DeadlineExceeded(exc.detail).failure()
                return problem(late, scope, headers, status=HTTPStatus(status))
            case HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
                return problem(UnsupportedMediaType(exc.detail).failure(), scope, headers)
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE as status:
                failure = InvalidRequest(exc.detail).failure()
                return problem(failure, scope, headers, status=HTTPStatus(status))
            case _:
                return problem(InvalidRequest(str(exc.detail)).failure(), scope, headers)

    @app.exception_handler(ClientDisconnect)
    async def client_disconnect(request: Request, exc: ClientDisconnect) -> Response:
        log.info("client disconnected", path=request.url.path)
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # reaches no client

    app.add_middleware(UnhandledErrorMiddleware)


async def redis_error(request: Request, exc: Exception) -> JSONResponse:
    """Answer an exception of the Redis client with the problem document of its failure."""
    log.warning("redis failed", path=request.url.path, reason=str(exc))
    return problem(store_error(exc).failure(), request.scope)


def with_handlers_of(http: FastAPI, app: ASGIApp) -> ASGIApp:
    """Return `app` with the exception handlers of `http` around it, in the order of its routes'."""
    return UnhandledErrorMiddleware(ExceptionMiddleware(app, http.exception_handlers))


class UnhandledErrorMiddleware:
    """Answers an exception that no handler knows, a bug, with a 500, and logs its traceback.

    A request that is cancelled by a stop gets a 504.

    Starlette's own middleware would raise the exception again after its 500, and the server would
    log it a second time, without the correlation id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def track_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, track_send)
        except asyncio.CancelledError:
            # uvicorn cancels the requests for which a stop waits no longer.
            if started or scope["type"] != "http":
                raise
            await problem(_STOPPED.failure(), scope)(scope, receive, send)
        except Exception as exc:
            if started or scope["type"] != "http":
                raise  # A response can't be replaced; the server closes the connection.
            log.error("unhandled", path=scope["path"], exc_info=exc)
            internal = Internal("The log has the details, under this correlation id.")
            await problem(internal.failure(), scope)(scope, receive, send)


def _allowed_methods(request: Request) -> str:
    """Return the methods that the routes at the request's address accept; HEAD goes with GET."""
    methods = {
        method
        for method in ("GET", "POST", "PUT", "DELETE")
        for route in request.app.routes
        if not isinstance(route, Mount)
        and route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    methods = methods or {"GET"}  # only static files are mounted
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

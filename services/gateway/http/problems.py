"""The border where a failure becomes HTTP: RFC 9457 problem documents, for every 4xx and 5xx."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import (
    Code,
    Failure,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    Unavailable,
)
from services.gateway.middleware.correlation import correlation_id

log = structlog.get_logger(__name__)

STATUS = {
    Code.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.INVALID_OPERATION: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.IMAGE_UNREADABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.IMAGE_TOO_BIG: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNSUPPORTED_FORMAT: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.GONE: HTTPStatus.GONE,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.NO_WORKERS: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.WORKER_CRASHED: HTTPStatus.BAD_GATEWAY,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}

TITLES = {
    Code.INVALID_REQUEST: "The request can't be understood",
    Code.INVALID_OPERATION: "The operation can't be done",
    Code.TOO_LARGE: "The body is too large",
    Code.IMAGE_UNREADABLE: "The image can't be read",
    Code.IMAGE_TOO_BIG: "The image has too many pixels or frames",
    Code.UNSUPPORTED_FORMAT: "The format is not served",
    Code.NOT_FOUND: "Not found",
    Code.METHOD_NOT_ALLOWED: "Not allowed here",
    Code.GONE: "No longer here",
    Code.CONFLICT: "Not in this state",
    Code.KEY_REUSED: "The idempotency key is taken",
    Code.NO_WORKERS: "No worker is running",
    Code.OVERLOADED: "Too much to do at the moment",
    Code.UNAVAILABLE: "The service can't reach its store",
    Code.DEADLINE_EXCEEDED: "The time was not enough",
    Code.WORKER_CRASHED: "The work crashed",
    Code.INTERNAL: "Something broke",
}


_STORE_AWAY = Unavailable("The store behind this service does not answer.", retry_after=2)
_NOTHING_HERE = NotFound("There is nothing at this address.")


def problem(
    failure: Failure, headers: dict[str, str] | None = None, *, status: HTTPStatus | None = None
) -> JSONResponse:
    """The problem document of a failure, whose status is its code's unless one is given."""
    status = status or STATUS[failure.code]
    content = {
        "type": f"urn:darkroom:problem:{failure.code}",
        "title": TITLES[failure.code],
        "status": status.value,
        "detail": failure.detail,
        "code": failure.code,
        "correlation_id": correlation_id(),
    }
    extra = dict(headers or {})
    if status is HTTPStatus.SERVICE_UNAVAILABLE or failure.retry_after is not None:
        extra["Retry-After"] = str(1 if failure.retry_after is None else failure.retry_after)
    return JSONResponse(content, status, headers=extra, media_type="application/problem+json")


async def store_away(request: Request, exc: Exception) -> JSONResponse:
    """The answer where the store's own exception comes through."""
    log.warning("redis failed", path=request.url.path, reason=str(exc))
    return problem(_STORE_AWAY.failure())


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in `app` with a problem document."""

    @app.exception_handler(ServiceError)
    async def known(request: Request, exc: ServiceError) -> JSONResponse:
        log.info("refused", code=exc.code, detail=exc.detail, path=request.url.path)
        return problem(exc.failure())

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        if all(error["loc"][0] == "path" for error in exc.errors()):
            # An id or a number that can't be: nothing has ever been there.
            return problem(_NOTHING_HERE.failure())
        clauses = [
            f"{'.'.join(str(part)[:40] for part in error['loc'])}: {error['msg']}"
            for error in exc.errors()[:5]
        ]
        return problem(InvalidRequest("; ".join(clauses)).failure())

    @app.exception_handler(HTTPException)
    async def refused(request: Request, exc: HTTPException) -> JSONResponse:
        headers = dict(exc.headers or {})
        match exc.status_code:
            case HTTPStatus.NOT_FOUND:
                return problem(_NOTHING_HERE.failure(), headers)
            case HTTPStatus.METHOD_NOT_ALLOWED:
                error = MethodNotAllowed(f"{request.method} is not allowed at this address.")
                return problem(error.failure(), {**headers, "Allow": _allowed(request)})
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                failure = InvalidRequest(exc.detail).failure()
                return problem(failure, headers, status=HTTPStatus(exc.status_code))
            case _:
                return problem(InvalidRequest(str(exc.detail)).failure(), headers)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, exc: ClientDisconnect) -> Response:
        log.info("client left", path=request.url.path)
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it

    app.add_middleware(BugMiddleware)


class BugMiddleware:
    """The end of every exception that has no name: a line in the log and a 500.

    Starlette's own answers too and raises it on, and then the server logs it a second time,
    without the correlation id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as exc:
            if started or scope["type"] != "http":
                raise  # The server ends the connection, which is all that is left to do.
            log.error("unhandled", path=scope["path"], exc_info=exc)
            internal = Internal("The log has the details, under this correlation id.")
            await problem(internal.failure())(scope, receive, send)


def _allowed(request: Request) -> str:
    """The methods that some route takes at the request's address, and HEAD where GET is."""
    methods = {
        method
        for method in ("GET", "POST", "DELETE")
        for route in request.app.routes
        if not isinstance(route, Mount)
        and route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    # What is mounted are files.
    methods = methods or {"GET"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

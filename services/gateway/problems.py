"""The border where a failure becomes HTTP: RFC 9457 problem documents, for every 4xx and 5xx."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.errors import (
    Code,
    Failure,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
)
from services.gateway.correlation import correlation_id

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
    Code.NO_WORKERS: "No worker is running",
    Code.OVERLOADED: "Too much to do at the moment",
    Code.UNAVAILABLE: "The service can't reach its store",
    Code.DEADLINE_EXCEEDED: "The time was not enough",
    Code.WORKER_CRASHED: "The work crashed",
    Code.INTERNAL: "Something broke",
}


def problem(failure: Failure, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem document of a failure."""
    status = STATUS[failure.code]
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


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in `app` with a problem document."""

    @app.exception_handler(ServiceError)
    async def known(request: Request, exc: ServiceError) -> JSONResponse:
        log.info("refused", code=exc.code, detail=exc.detail, path=request.url.path)
        return problem(exc.failure())

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        clauses = [
            f"{'.'.join(str(part)[:40] for part in error['loc'])}: {error['msg']}"
            for error in exc.errors()[:5]
        ]
        return problem(InvalidRequest("; ".join(clauses)).failure())

    @app.exception_handler(HTTPException)
    async def refused(request: Request, exc: HTTPException) -> JSONResponse:
        error: ServiceError
        match exc.status_code:
            case HTTPStatus.NOT_FOUND:
                error = NotFound("There is nothing at this address.")
            case HTTPStatus.METHOD_NOT_ALLOWED:
                error = MethodNotAllowed(f"{request.method} is not allowed at this address.")
            case _:
                error = InvalidRequest(str(exc.detail))
        return problem(error.failure(), dict(exc.headers or {}))

    @app.exception_handler(Exception)
    async def bug(request: Request, exc: Exception) -> JSONResponse:
        log.error("unhandled", path=request.url.path, exc_info=exc)
        return problem(Internal("The log has the details, under this correlation id.").failure())

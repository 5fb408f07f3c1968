"""Problem documents (RFC 9457): the HTTP form of a failure, and the status of each code."""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.types import Scope

from contracts.errors import Code, Failure, ServiceError
from contracts.message import Message
from services.gateway.middleware.correlation import correlation_id
from services.gateway.middleware.prefix import prefix_of

log = structlog.get_logger(__name__)

STATUS = {
    Code.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.INVALID_OPERATION: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.IMAGE_UNREADABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.IMAGE_TOO_BIG: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNSUPPORTED_FORMAT: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.MISDIRECTED_REQUEST: HTTPStatus.MISDIRECTED_REQUEST,
    Code.ORIGIN_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Code.SIGNATURE_INVALID: HTTPStatus.FORBIDDEN,
    Code.GONE: HTTPStatus.GONE,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    Code.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.QUOTA_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.NO_WORKERS: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.STORE_FULL: HTTPStatus.INSUFFICIENT_STORAGE,
    Code.STORE_VOLATILE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.SOURCE_REFUSED: HTTPStatus.FORBIDDEN,
    Code.SOURCE_UNAVAILABLE: HTTPStatus.BAD_GATEWAY,
    Code.SOURCE_TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.WORKER_CRASHED: HTTPStatus.BAD_GATEWAY,
    Code.OUT_OF_MEMORY: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}

OTHER_STATUSES = {
    Code.INVALID_REQUEST: [HTTPStatus.BAD_REQUEST, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE],
    Code.TOO_LARGE: [HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE],
    Code.DEADLINE_EXCEEDED: [HTTPStatus.REQUEST_TIMEOUT],
    Code.INTERNAL: [HTTPStatus.SERVICE_UNAVAILABLE],
}
"""Statuses that HTTP prescribes for a case of a code, in place of the code's own."""

TITLES = {
    Code.INVALID_REQUEST: "The request is invalid",
    Code.INVALID_OPERATION: "The operation can't be applied",
    Code.TOO_LARGE: "The request is too large",
    Code.IMAGE_UNREADABLE: "The image can't be read",
    Code.IMAGE_TOO_BIG: "The image or the result is too big",
    Code.UNSUPPORTED_FORMAT: "The format is not supported",
    Code.UNSUPPORTED_MEDIA_TYPE: "The body's type or coding is not supported",
    Code.UNAUTHORIZED: "A key is needed",
    Code.FORBIDDEN: "The key does not allow this",
    Code.NOT_FOUND: "Not found",
    Code.METHOD_NOT_ALLOWED: "Method not allowed",
    Code.MISDIRECTED_REQUEST: "The host name is not one of this service",
    Code.ORIGIN_NOT_ALLOWED: "The origin is not allowed",
    Code.SIGNATURE_INVALID: "The URL's signature does not count",
    Code.GONE: "Expired or damaged",
    Code.CONFLICT: "Not possible in this state",
    Code.PRECONDITION_FAILED: "A condition of the request is false",
    Code.KEY_REUSED: "The idempotency key belongs to another request",
    Code.RATE_LIMITED: "The rate limit is reached",
    Code.QUOTA_EXCEEDED: "The quota is used up",
    Code.NO_WORKERS: "No worker is running",
    Code.OVERLOADED: "The service is overloaded",
    Code.UNAVAILABLE: "The service can't reach its store",
    Code.STORE_FULL: "The store is full",
    Code.STORE_VOLATILE: "Redis keeps nothing safe",
    Code.SOURCE_REFUSED: "The source does not allow this",
    Code.SOURCE_UNAVAILABLE: "The source fails",
    Code.SOURCE_TIMEOUT: "The source is too slow",
    Code.DEADLINE_EXCEEDED: "The time limit was exceeded",
    Code.WORKER_CRASHED: "The worker process crashed",
    Code.OUT_OF_MEMORY: "The work takes too much memory",
    Code.INTERNAL: "Internal error",
}


class Problem(Message):
    """A problem document (RFC 9457)."""

    type: Annotated[
        str,
        Field(
            description="Address of the code's page in the guide.",
            examples=["/guide/errors/image_unreadable"],
            json_schema_extra={"format": "uri-reference"},
        ),
    ]
    title: Annotated[str, Field(description="The code in words; one for each code.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="The cause of the error, for people.")]
    code: Annotated[
        Code, Field(description="Name of the error for programs. It never changes its meaning.")
    ]
    correlation_id: Annotated[
        str, Field(description="The id of this request in the logs, as in `X-Correlation-ID`.")
    ]


def problem(
    failure: Failure,
    scope: Scope,
    headers: dict[str, str] | None = None,
    *,
    status: HTTPStatus | None = None,
) -> JSONResponse:
    """Return the problem document of a failure, for the request of `scope`. Caches don't store it.

    The status is `STATUS` of the failure's code unless one is given. A 503 always has
    `Retry-After`: the failure's own, or one second.
    """
    status = status or STATUS[failure.code]
    content = Problem(
        type=guide_page(failure.code, scope),
        title=TITLES[failure.code],
        status=status.value,
        detail=failure.detail,
        code=failure.code,
        correlation_id=correlation_id(),
    )
    extra = {"Cache-Control": "no-store", **(headers or {})}
    if status is HTTPStatus.SERVICE_UNAVAILABLE or failure.retry_after is not None:
        extra["Retry-After"] = str(1 if failure.retry_after is None else failure.retry_after)
    return JSONResponse(
        content.model_dump(mode="json"),
        status,
        headers=extra,
        media_type="application/problem+json",
    )


def refusal(
    error: ServiceError, scope: Scope, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Log an error that a middleware has raised, and return its problem document."""
    log.info("refused", code=error.code, detail=error.detail, path=scope["path"])
    return problem(error.failure(), scope, headers)


def guide_page(code: Code, scope: Scope) -> str:
    """Return the address of the code's page in the guide: a path, with the prefix of a proxy.

    RFC 9457, section 3.1.1, recommends the full path: `type` is then the same for every request of
    this gateway.
    """
    return f"{prefix_of(scope)}/guide/errors/{code}"

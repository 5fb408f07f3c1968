"""Answers to requests that never reach the application: problem documents as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from contracts.errors import DeadlineExceeded, InvalidRequest, Overloaded, ServiceError, TooLarge
from services.gateway.http.problems import problem
from services.gateway.middleware.correlation import HEADER, id_of
from services.gateway.middleware.prefix import with_prefix

log = structlog.get_logger(__name__)

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Refusal:
    """Reason why a connection is closed: its name in metrics and logs, its status, its error."""

    reason: str
    status: HTTPStatus
    error: ServiceError


MALFORMED = Refusal(
    "malformed", HTTPStatus.BAD_REQUEST, InvalidRequest("The request is not valid HTTP/1.1.")
)
HOST = Refusal(
    "malformed",
    HTTPStatus.BAD_REQUEST,
    InvalidRequest("A request of HTTP/1.1 has one header field Host, with a host and a port."),
)
LONG_LINE = Refusal(
    "long_line", HTTPStatus.REQUEST_URI_TOO_LONG, TooLarge("The request's address is too long.")
)
LONG_HEADER = Refusal(
    "long_header",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    TooLarge("The request's header fields are too long, or too many."),
)
SMALL_CHUNKS = Refusal(
    "small_chunks",
    HTTPStatus.BAD_REQUEST,
    InvalidRequest("The body has too many small chunks; send larger ones."),
)
SLOW_HEADER = Refusal(
    "slow_header",
    HTTPStatus.REQUEST_TIMEOUT,
    DeadlineExceeded("The request's header did not arrive in time."),
)
PIPELINE = Refusal(
    "pipeline",
    HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded("Too many requests wait in this connection.", retry_after=1),
)
UPGRADE = Refusal(
    "pipeline",
    HTTPStatus.BAD_REQUEST,
    InvalidRequest("A WebSocket begins after the answers to all requests before it."),
)
CONNECTIONS = Refusal(
    "connections",
    HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded("Too many connections are open; try again soon.", retry_after=2),
)
ADDRESS = Refusal(
    "address",
    HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded("Too many connections of this address are open; close some.", retry_after=2),
)
REASONS = [
    refusal.reason
    for refusal in (
        *(MALFORMED, LONG_LINE, LONG_HEADER, SMALL_CHUNKS, SLOW_HEADER),
        *(PIPELINE, CONNECTIONS, ADDRESS),
    )
]
"""Every reason, for the documents."""


def response(
    refusal: Refusal, *, client: str | None, request: Headers, server: Headers, prefix: str
) -> bytes:
    """Log a refusal and return its response, which announces the end of the connection.

    `request` has the header fields that have arrived, perhaps with a correlation id, `server` those
    that uvicorn adds to every response, and `prefix` is `DARKROOM_ROOT_PATH`.
    """
    correlation_id = id_of(request)
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        log.info("connection refused", reason=refusal.reason, client=client)
        document = problem(refusal.error.failure(), with_prefix(prefix), status=refusal.status)
    fields = [
        *server,
        *document.raw_headers,
        (b"connection", b"close"),
        (HEADER.lower().encode(), correlation_id.encode()),
    ]
    line = f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\n".encode()
    return b"".join(
        [line, *(b"%b: %b\r\n" % field for field in fields), b"\r\n", bytes(document.body)]
    )

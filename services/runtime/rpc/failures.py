"""A worker's error reaches the caller as itself, at once, and never as a timeout."""

from typing import Any

import structlog
from faststream.message import StreamMessage
from faststream.redis import RedisResponse
from pydantic import ValidationError
from redis.exceptions import RedisError

from contracts.errors import Failure, Internal, ServiceError, Unavailable

log = structlog.get_logger(__name__)

OUTCOME = "x-outcome"
WORKER = "x-worker"


def failed(exc: Exception, correlation_id: str | None) -> RedisResponse:
    """The reply that says what went wrong. A bug is logged here, with its traceback, once."""
    match exc:
        case ServiceError():
            error = exc
        case RedisError():
            error = Unavailable("The worker can't reach its store.", retry_after=2)
        case _:
            log.error("handler failed", correlation_id=correlation_id, exc_info=exc)
            error = Internal("Something broke in the worker; its log has the details.")
    return RedisResponse(
        error.failure(), headers={OUTCOME: "failed"}, correlation_id=correlation_id
    )


def raise_failure(reply: StreamMessage[Any]) -> None:
    """Raise what a reply tells of, if it tells of a failure."""
    if reply.headers.get(OUTCOME) == "failed":
        try:
            error = Failure.model_validate_json(reply.body).error()
        except ValidationError:
            # A worker of another version may know failures that are unknown here.
            error = Internal("The worker failed in a way that is unknown here.")
        error.worker = reply.headers.get(WORKER)
        raise error

"""A handler's exception as a reply, and the reply as an exception at the caller."""

from typing import Any

import structlog
from faststream.message import StreamMessage
from faststream.redis import RedisResponse
from pydantic import ValidationError
from redis.exceptions import RedisError

from contracts.errors import Failure, Internal, ServiceError
from services.runtime.redis.client import store_error

log = structlog.get_logger(__name__)

OUTCOME = "x-outcome"
WORKER = "x-worker"
_FAILED = "failed"


def failure_reply(exc: Exception, correlation_id: str | None) -> RedisResponse:
    """Return the reply for an exception of a handler.

    A ServiceError keeps its code; a RedisError becomes what `store_error` says; any other exception
    is a bug, is logged here with its traceback, and becomes Internal.
    """
    match exc:
        case ServiceError():
            error = exc
        case RedisError():
            error = store_error(exc)
        case _:
            log.error("handler failed", correlation_id=correlation_id, exc_info=exc)
            error = Internal("Something broke in the worker; its log has the details.")
    return RedisResponse(error.failure(), headers={OUTCOME: _FAILED}, correlation_id=correlation_id)


def raise_failure(reply: StreamMessage[Any]) -> None:
    """Raise the ServiceError that a reply holds, with the worker's name; return for a result."""
    if reply.headers.get(OUTCOME) == _FAILED:
        try:
            error = Failure.model_validate_json(reply.body).error()
        except ValidationError:
            # A worker of another version may send codes that this version lacks.
            error = Internal("The worker failed in a way that is unknown here.")
        error.worker = reply.headers.get(WORKER)
        raise error

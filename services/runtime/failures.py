"""A worker's error reaches the caller as itself, at once, and never as a timeout."""

from collections.abc import Callable
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.exceptions import IgnoredException
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.redis import RedisResponse
from faststream.types import AsyncFuncAny
from pydantic import ValidationError
from redis.exceptions import RedisError

from contracts.errors import Failure, Internal, InvalidRequest, ServiceError, Unavailable
from services.runtime.connection import LOST

log = structlog.get_logger(__name__)

OUTCOME = "x-outcome"
WORKER = "x-worker"


class FailureMiddleware(BaseMiddleware[Any, Any]):
    """A worker's exception becomes a Failure reply, and at the caller that exception again."""

    def __init__(self, msg: Any, /, *, context: Any, worker: str) -> None:
        super().__init__(msg, context=context)
        self._worker = worker

    @classmethod
    def of(cls, worker: str) -> Callable[..., "FailureMiddleware"]:
        """The middleware of one worker."""
        return lambda msg, /, *, context: cls(msg, context=context, worker=worker)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle a request, or take in a reply."""
        if msg.source_type is SourceType.RESPONSE:
            if msg.headers.get(OUTCOME) == "failed":
                error = Failure.model_validate_json(msg.body).error()
                error.worker = msg.headers.get(WORKER)
                raise error
            return await call_next(msg)
        try:
            return await call_next(msg)
        except IgnoredException:
            raise
        except Exception as exc:
            if not msg.reply_to:
                raise
            return self._failed(exc, msg.correlation_id)

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        """Say of a reply how it went and who it is from; one that can't be encoded is a failure."""
        if not self._is_reply:
            return await call_next(cmd)
        cmd.headers = {OUTCOME: "ok", WORKER: self._worker, **cmd.headers}
        try:
            return await call_next(cmd)
        except LOST:
            raise
        except Exception as exc:
            failed = self._failed(exc, cmd.correlation_id)
            cmd.body, cmd.headers = failed.body, {WORKER: self._worker, **failed.headers}
            return await call_next(cmd)

    @property
    def _is_reply(self) -> bool:
        # FastStream makes a middleware for each consumed message, and one around no message
        # for what is published on its own.
        return self.msg is not None

    def _failed(self, exc: Exception, correlation_id: str | None) -> RedisResponse:
        error = self._named(exc)
        if isinstance(error, Internal):
            log.error("handler failed", correlation_id=correlation_id, exc_info=exc)
        return RedisResponse(
            error.failure(), headers={OUTCOME: "failed"}, correlation_id=correlation_id
        )

    def _named(self, exc: Exception) -> ServiceError:
        match exc:
            case ServiceError():
                return exc
            case RedisError():
                return Unavailable("The worker can't reach its store.", retry_after=2)
            case ValidationError() if self._is_about_the_call(exc):
                return InvalidRequest("The request is not of the form that this method takes.")
            case _:
                return Internal("Something broke in the worker; its log has the details.")

    def _is_about_the_call(self, exc: ValidationError) -> bool:
        # FastStream names the model of a handler's arguments after the handler; any other
        # model that does not validate is a bug in the handler.
        return any(call.name == exc.title for call in self.context.get_local("handler_").calls)

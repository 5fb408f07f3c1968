"""Deadlines travel with a request: what is late is dropped before it is started."""

import time
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.exceptions import AckMessage
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.types import AsyncFuncAny

log = structlog.get_logger(__name__)

DEADLINE = "x-deadline"


def deadline_of(message: StreamMessage[Any]) -> float | None:
    """When the caller stops waiting, in Unix seconds; None if it did not say."""
    value = str(message.headers.get(DEADLINE, ""))
    return int(value) / 1000 if value.isdecimal() and len(value) < 16 else None


class DeadlineMiddleware(BaseMiddleware[Any, Any]):
    """Lets go of what nobody waits for any more."""

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle `msg` unless it is late."""
        deadline = deadline_of(msg)
        if msg.source_type is SourceType.CONSUME and deadline and deadline <= time.time():
            log.info("late", correlation_id=msg.correlation_id, ms=_ms_since(deadline))
            raise AckMessage
        return await call_next(msg)


def _ms_since(moment: float) -> int:
    return int((time.time() - moment) * 1000)

"""On a channel every worker hears a request; the first to claim it does the work."""

from collections.abc import Callable
from typing import Any

from faststream import BaseMiddleware
from faststream.message import StreamMessage
from faststream.message.source_type import SourceType
from faststream.redis.message import RedisChannelMessage
from faststream.types import AsyncFuncAny

from services.runtime.batching import Batch
from services.runtime.deadlines import remaining
from services.runtime.dropping import ClaimedByAnother


class ClaimMiddleware(BaseMiddleware[Any, Any]):
    """Lets go of a channel's request that another worker has claimed."""

    def __init__(self, msg: Any, /, *, context: Any, batch: Batch, worker: str) -> None:
        super().__init__(msg, context=context)
        self._batch = batch
        self._worker = worker

    @classmethod
    def of(cls, batch: Batch, worker: str) -> Callable[..., "ClaimMiddleware"]:
        """The middleware of one worker."""
        return lambda msg, /, *, context: cls(msg, context=context, batch=batch, worker=worker)

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        """Handle `msg` if it is nobody else's."""
        shared = isinstance(msg, RedisChannelMessage) and msg.source_type is SourceType.CONSUME
        if shared and msg.reply_to and not await self._claim(msg.reply_to):
            raise ClaimedByAnother
        return await call_next(msg)

    async def _claim(self, reply_to: str) -> bool:
        left = remaining()
        # Only as long as another worker could still hear it late.
        life = 60.0 if left is None else max(1.0, left)
        key, milliseconds = f"darkroom:claim:{reply_to}", int(life * 1000)
        claimed = await self._batch.execute("SET", key, self._worker, "NX", "PX", milliseconds)
        return claimed is not None

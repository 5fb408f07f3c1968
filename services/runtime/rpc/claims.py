"""On a channel every worker hears a request; the first to claim it does the work."""

from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.dropping import ClaimedByAnother


class Claims:
    """One worker's claims."""

    def __init__(self, wire: Multiplexer, worker: str) -> None:
        self._wire = wire
        self._worker = worker

    async def claim(self, reply_to: str) -> None:
        """Take a request, by its reply channel, for this worker. Raises ClaimedByAnother.

        One round trip; the claim goes by itself once no other worker could hear of it late.
        """
        left = remaining()
        life = 60.0 if left is None else min(3600.0, max(1.0, left))
        key, milliseconds = f"darkroom:claim:{reply_to}", int(life * 1000)
        claimed = await self._wire.execute("SET", key, self._worker, "NX", "PX", milliseconds)
        if claimed is None:
            raise ClaimedByAnother

"""Claims: of all workers that receive a request on a shared channel, one handles it."""

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.rpc.deadlines import remaining
from services.runtime.rpc.discarded import ClaimedByAnotherWorker

_LIFE = 60.0  # seconds of a claim on a request without a deadline
_MAX_LIFE = 3600.0


class Claims:
    """Claims requests in the name of one worker."""

    def __init__(self, redis: RedisClient, worker: str) -> None:
        self._redis = redis
        self._worker = worker

    async def claim(self, reply_to: str) -> None:
        """Claim a request, which its reply channel identifies. Costs one round trip.

        Raises ClaimedByAnotherWorker. The claim expires with the request's deadline.
        """
        left = remaining()
        life = _LIFE if left is None else min(_MAX_LIFE, max(1.0, left))
        key, milliseconds = keys.claim(reply_to), int(life * 1000)
        claimed = await self._redis.execute("SET", key, self._worker, "NX", "PX", milliseconds)
        if claimed is None:
            raise ClaimedByAnotherWorker

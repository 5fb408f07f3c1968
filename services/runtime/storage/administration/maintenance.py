"""Periodic work on the store that one process does for all: deletions that failed, and sweeps."""

import asyncio

import structlog
from redis.exceptions import RedisError

from contracts.errors import ServiceError
from services.runtime.redis import keys
from services.runtime.storage.administration.sweeper import Sweeper
from services.runtime.storage.blobs import Storage
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

SWEEP_MARGIN = 3600.0
"""Seconds by which the grace of a sweep is longer than the longest job."""

_INTERVAL = 10.0  # seconds between two looks at what is due
_DELETIONS = 60  # seconds from one attempt at the deletions that failed to the next


class StoreMaintenance:
    """Sweeps the store every `interval` seconds: in one of all processes that have this object.

    A sweep that takes longer is not begun by another process meanwhile.
    """

    def __init__(self, name: str, storage: Storage, *, interval: int, grace: float) -> None:
        """`name` is the process's, for the log of the others; `grace` as for `Sweeper`."""
        self._name = name
        self._redis = storage.redis
        self._sweeper = Sweeper(storage, storage.store, grace=grace) if storage.store else None
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the background task, if there is a store."""
        if self._sweeper is not None:
            self._task = asyncio.create_task(self._run(self._sweeper), name="store-maintenance")

    async def stop(self) -> None:
        """Stop; another process does the work when it is due."""
        await end(self._task)

    async def _run(self, sweeper: Sweeper) -> None:
        while True:
            try:
                if await self._is_due("deletions", _DELETIONS):
                    await sweeper.finish_deletions()
                if await self._is_due("sweep", self._interval):
                    await self._sweep(sweeper)
            except (RedisError, OSError, ServiceError) as exc:
                log.warning("store maintenance waits", reason=str(exc))
            except Exception as exc:
                log.error("store maintenance failed", exc_info=exc)
            await asyncio.sleep(_INTERVAL)

    async def _is_due(self, work: str, interval: int) -> bool:
        """Return whether nobody has begun this work within `interval` seconds; begin it if so."""
        name = keys.store_work(work)
        return bool(await self._redis.execute("SET", name, self._name, "NX", "EX", interval))

    async def _sweep(self, sweeper: Sweeper) -> None:
        sweeping = asyncio.create_task(sweeper.sweep(), name="store-sweep")
        try:
            while not (await asyncio.wait([sweeping], timeout=self._interval / 3))[0]:
                name = keys.store_work("sweep")
                await self._redis.execute("SET", name, self._name, "EX", self._interval)
            findings = sweeping.result()
        finally:
            await end(sweeping)
        if findings.orphans or findings.unfinished or findings.lost.number:
            log.info(
                "store swept",
                deleted=findings.orphans,
                bytes=findings.orphan_bytes,
                unfinished=findings.unfinished,
                lost=findings.lost.number,
            )
        if findings.unrecorded.number:
            log.error(
                "kept images have no record",
                number=findings.unrecorded.number,
                reason="Redis has lost them; `darkroom-store rebuild` brings them back.",
            )

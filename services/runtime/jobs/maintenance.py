"""Periodic work that one process does for all: due retries, orphaned jobs, old events."""

import asyncio
import time

import structlog
from redis.exceptions import RedisError

from services.runtime.jobs.store import Jobs
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_INTERVAL = 0.5  # seconds; a retry is at most that late
_LEASE = 5.0  # seconds after which another process takes the leadership over
_SWEEP_INTERVAL = 10.0  # seconds
_ORPHANED_AFTER = 30.0  # seconds in no queue


class JobMaintenance:
    """Does the maintenance in the process that leads, and waits to lead in every other."""

    def __init__(self, name: str, jobs: Jobs) -> None:
        self._name = name
        self._jobs = jobs
        self._task: asyncio.Task[None] | None = None
        self._swept_at = 0.0

    async def start(self) -> None:
        """Start the background task."""
        self._task = asyncio.create_task(self._run(), name="job-maintenance")

    async def stop(self) -> None:
        """Stop; another process takes over when the lease has run out."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                if await self._jobs.run_maintenance(self._name, lease=_LEASE):
                    await self._sweep()
            except (RedisError, OSError) as exc:
                log.debug("job maintenance lost redis", reason=str(exc))
            except Exception as exc:
                log.error("job maintenance failed", exc_info=exc)

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept_at < _SWEEP_INTERVAL:
            return
        self._swept_at = time.monotonic()
        for job in await self._jobs.orphans.requeue(age=_ORPHANED_AFTER):
            log.warning("orphaned job queued again", job=job.id)
        await self._jobs.trim()

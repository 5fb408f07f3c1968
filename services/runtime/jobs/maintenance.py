"""What has to be done now and then, by one process of all: retries that are due, jobs that lost
their place, events that are old.
"""

import asyncio
import time

import structlog
from redis.exceptions import RedisError

from services.runtime.jobs.store import Jobs
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_EVERY = 0.5  # seconds; a retry comes so much late at most
_LIFE = 5.0  # seconds until another process takes over
_SWEEP = 10.0  # seconds
_LOST = 30.0  # seconds without a place until a job counts as orphaned


class JobMaintenance:
    """Keeps house while no other process does."""

    def __init__(self, name: str, jobs: Jobs) -> None:
        self._name = name
        self._jobs = jobs
        self._task: asyncio.Task[None] | None = None
        self._swept = 0.0

    async def start(self) -> None:
        """Begin, or wait until the process that does it is gone."""
        self._task = asyncio.create_task(self._keep(), name="housekeeper")

    async def stop(self) -> None:
        """Leave it to another process, which notices within seconds."""
        await end(self._task)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                if await self._jobs.run_maintenance(self._name, life=_LIFE):
                    await self._sweep()
            except (RedisError, OSError) as exc:
                log.debug("could not keep house", reason=str(exc))
            except Exception as exc:
                log.error("housekeeping failed", exc_info=exc)

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept < _SWEEP:
            return
        self._swept = time.monotonic()
        for job in await self._jobs.adopt_orphans(age=_LOST):
            log.warning("orphaned job lined up again", job=job.id)
        await self._jobs.trim()

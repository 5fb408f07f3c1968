"""Renders the variants of jobs: here, or at another worker if this one lacks a format."""

from redis.exceptions import RedisError

from contracts.errors import DeadlineExceeded, Overloaded, ServiceError
from contracts.imaging import Render, Rendered
from services.imaging.jobs.batching import MicroBatcher, NotStarted
from services.imaging.peers import Peers
from services.runtime.telemetry.metrics import Metrics


class JobRenderer:
    """Renders by `batcher` what this worker can, and has `peers` render the rest.

    `timeout` is in seconds, for a render by another worker.
    """

    def __init__(
        self, batcher: MicroBatcher, peers: Peers, metrics: Metrics, *, timeout: float
    ) -> None:
        self._batcher = batcher
        self._peers = peers
        self._metrics = metrics
        self._timeout = timeout

    async def render(self, request: Render, *, alone: bool, keep_source: bool) -> Rendered:
        """Render `request`. Raises as `MicroBatcher.render`, and as `Peers.render_for_job`, but
        NotStarted for Overloaded: too much heavy work waits.

        Any other exception is a fault of the software, which is counted here.
        """
        try:
            return await self._render(request, alone=alone, keep_source=keep_source)
        except Overloaded as exc:
            raise NotStarted(delay=exc.retry_after or 1) from exc
        except (ServiceError, NotStarted, RedisError):
            raise
        except Exception:
            self._metrics.internal_errors.inc()
            raise

    async def stop(self) -> None:
        """Cancel the renders in progress here."""
        await self._batcher.stop()

    async def _render(self, request: Render, *, alone: bool, keep_source: bool) -> Rendered:
        formats = await self._peers.formats_beyond(request)
        if not formats:
            return await self._batcher.render(request, alone=alone, keep_source=keep_source)
        try:
            return await self._peers.render_for_job(request, formats, timeout=self._timeout)
        except DeadlineExceeded as exc:
            if exc.worker is None:
                # The other worker has not come to it: no attempt was made.
                raise NotStarted from exc
            raise

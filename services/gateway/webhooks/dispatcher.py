"""Completion webhooks: the end of a job, told until its receiver has heard it.

What is due waits in Redis, so any gateway delivers it and a restart loses none. A receiver may hear
the same one twice, under the same id.
"""

import asyncio
import random
from contextlib import suppress
from enum import StrEnum

import anyio
import structlog

from contracts.errors import InvalidRequest, Unavailable
from contracts.jobs import OPEN_STATES, Webhook
from services.gateway.outbound.client import refuse_unsafe_url
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.sender import Unheard, Unwanted, WebhookSender
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import Delivery, WebhookQueue
from services.runtime.redis.client import redis_errors
from services.runtime.tasks import end
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_POLL = 0.5  # seconds between two looks at what is due


class Outcome(StrEnum):
    """What became of one try."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GIVEN_UP = "given_up"
    DISABLED = "disabled"


class Webhooks:
    """This gateway's share in telling of jobs' ends; none without a secret to sign by."""

    def __init__(
        self, jobs: Jobs, deliveries: WebhookQueue, settings: GatewaySettings, metrics: Metrics
    ) -> None:
        self._courier = None
        if settings.webhook_secrets:
            self._courier = WebhookSender(
                settings.webhook_secrets,
                timeout=settings.webhook_timeout,
                allow_private=settings.webhook_allow_private,
            )
        self._jobs = jobs
        self._deliveries = deliveries
        self._settings = settings
        self._outcomes = metrics.webhooks
        self._taker: asyncio.Task[None] | None = None
        self._in_hand: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def check(self, webhook: Webhook) -> None:
        """Raise InvalidRequest for a webhook that would never be delivered."""
        if self._courier is None:
            raise InvalidRequest(
                "This gateway tells of no job's end: it has no DARKROOM_WEBHOOK_SECRET to sign by."
            )
        refuse_unsafe_url(webhook.url, allow_private=self._settings.webhook_allow_private)

    async def start(self) -> None:
        """Deliver what is due, from now on."""
        if self._courier is not None and self._taker is None:
            self._taker = asyncio.create_task(self._take_on(self._courier), name="webhooks")

    async def stop(self, timeout: float = 5.0) -> None:
        """Take nothing more; what is in hand has `timeout` seconds, or comes again by its lease."""
        if self._courier is None or self._taker is None:
            return
        self._stopping.set()
        await asyncio.wait([self._taker], timeout=2 * _POLL)
        await end(self._taker)
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=timeout)
            await asyncio.gather(*(end(task) for task in late))
        await self._courier.close()

    async def _take_on(self, courier: WebhookSender) -> None:
        lost = False
        while not self._stopping.is_set():
            taken: list[Delivery] = []
            try:
                taken = await self._deliveries.take(self._free)
            except Unavailable as exc:
                if not lost:
                    log.warning("webhooks lost redis", reason=str(exc.__cause__))
                lost = True
            else:
                lost = False
            for delivery in taken:
                task = asyncio.create_task(self._handle(delivery, courier))
                self._in_hand.add(task)
                task.add_done_callback(self._in_hand.discard)
            if self._free:
                with anyio.move_on_after(_POLL):
                    await self._stopping.wait()
            else:
                await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)

    @property
    def _free(self) -> int:
        return self._settings.webhook_slots - len(self._in_hand)

    async def _handle(self, delivery: Delivery, courier: WebhookSender) -> None:
        try:
            await self._deliver(delivery, courier)
        except Unavailable as exc:
            log.warning("webhook left to its lease", job=delivery.job, reason=str(exc.__cause__))
        except Exception as exc:
            # A bug that one delivery brings out must not keep the others from being told.
            log.error("webhook failed", job=delivery.job, exc_info=exc)
            with suppress(Unavailable):
                await self._again(delivery, Unheard("internal error"))

    async def _deliver(self, delivery: Delivery, courier: WebhookSender) -> None:
        with redis_errors():
            job = await self._jobs.get(delivery.job)
        # Its record has expired, or it was brought back and its next end will be told.
        if job is None or job.webhook is None or job.state in OPEN_STATES:
            await self._deliveries.done(delivery)
            log.info("webhook dropped", job=delivery.job, expired=job is None)
            return
        url = job.webhook.url
        if await self._deliveries.is_disabled(url):
            await self._end(delivery, Outcome.DISABLED)
            return
        try:
            await courier.tell(url, job)
        except Unwanted:
            await self._deliveries.disable(url, ttl=self._settings.webhook_disabled_ttl)
            await self._end(delivery, Outcome.DISABLED)
        except Unheard as failure:
            await self._again(delivery, failure)
        else:
            await self._end(delivery, Outcome.DELIVERED)

    async def _again(self, delivery: Delivery, failure: Unheard) -> None:
        if delivery.attempt >= self._settings.webhook_attempts:
            await self._end(delivery, Outcome.GIVEN_UP, reason=str(failure))
            return
        seconds = max(failure.after, self._backoff(delivery.attempt))
        await self._deliveries.retry(delivery, min(seconds, self._settings.webhook_backoff_cap))
        self._tell_outcome(delivery, Outcome.RETRIED, reason=str(failure))

    async def _end(self, delivery: Delivery, outcome: Outcome, **details: str) -> None:
        await self._deliveries.done(delivery)
        self._tell_outcome(delivery, outcome, **details)

    def _tell_outcome(self, delivery: Delivery, outcome: Outcome, **details: str) -> None:
        self._outcomes.labels(outcome).inc()
        say = log.warning if outcome is Outcome.GIVEN_UP else log.info
        say(f"webhook {outcome}", job=delivery.job, attempt=delivery.attempt, **details)

    def _backoff(self, attempt: int) -> float:
        """Exponential with full jitter, so that what failed together does not come together."""
        grown = self._settings.webhook_backoff * 2 ** (attempt - 1)
        return random.uniform(0, min(grown, self._settings.webhook_backoff_cap))

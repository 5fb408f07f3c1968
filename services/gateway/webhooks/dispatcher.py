"""Deliver webhooks: take those that are due from Redis, send them, retry or give up.

Due deliveries wait in Redis, so any gateway can send them and a restart loses none. A delivery may
reach its receiver twice, with the same id: at least once, not exactly once.
"""

import asyncio
import random
from contextlib import suppress
from enum import StrEnum

import structlog
from opentelemetry.trace import SpanKind

from contracts.errors import InvalidRequest, StoreFull, Unavailable
from contracts.jobs import OPEN_STATES, Webhook
from services.gateway.outbound.client import refuse_unsafe_url
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.receivers import Receivers
from services.gateway.webhooks.sender import DeliveryFailed, ReceiverGone, WebhookSender
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import Delivery, WebhookQueue
from services.runtime.redis.client import redis_errors
from services.runtime.tasks import end
from services.runtime.telemetry.metrics import Metrics
from services.runtime.telemetry.tracing import continued_span

log = structlog.get_logger(__name__)

_POLL = 0.5  # seconds between two queries for due deliveries


class Outcome(StrEnum):
    """The outcome of one try: a metric's label and the end of a log event."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GIVEN_UP = "given_up"
    DISABLED = "disabled"


class WebhookDispatcher:
    """Sends due deliveries, `webhook_slots` at a time; does nothing without a secret."""

    def __init__(
        self, jobs: Jobs, queue: WebhookQueue, settings: GatewaySettings, metrics: Metrics
    ) -> None:
        self._sender = None
        if settings.webhook_secrets:
            self._sender = WebhookSender(
                settings.webhook_secrets,
                timeout=settings.webhook_timeout,
                allow_private=settings.webhook_allow_private,
                nat64=settings.nat64_prefixes,
                prefix=settings.root_path,
            )
        self._jobs = jobs
        self._queue = queue
        self._settings = settings
        self._outcomes = metrics.webhooks
        self._receivers = Receivers(settings.webhook_slots, host_slots=settings.webhook_host_slots)
        self._ports = settings.webhook_port_numbers
        self._poller: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def check(self, webhook: Webhook) -> None:
        """Raise InvalidRequest for a webhook that could never be delivered."""
        if self._sender is None:
            raise InvalidRequest(
                "This gateway sends no webhooks: it has no DARKROOM_WEBHOOK_SECRET to sign them."
            )
        private = self._settings.webhook_allow_private
        refuse_unsafe_url(webhook.url, ports=self._ports, allow_private=private)

    async def start(self) -> None:
        """Start to send due deliveries in the background."""
        if self._sender is not None and self._poller is None:
            self._poller = asyncio.create_task(self._poll(self._sender), name="webhooks")

    async def stop(self, timeout: float = 5.0) -> None:
        """Take no more deliveries, and give the running ones `timeout` seconds to end.

        One that is cancelled then becomes due again when its lease ends, for any gateway.
        """
        if self._sender is None or self._poller is None:
            return
        self._stopping.set()
        await asyncio.wait([self._poller], timeout=2 * _POLL)
        await end(self._poller)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout)
            await asyncio.gather(*(end(task) for task in late))
        await self._sender.close()

    async def _poll(self, sender: WebhookSender) -> None:
        unavailable = False
        while not self._stopping.is_set():
            due: list[Delivery] = []
            try:
                due = await self._take()
            except (StoreFull, Unavailable) as exc:
                if not unavailable:
                    log.warning("webhooks lost redis", reason=str(exc.__cause__))
                unavailable = True
            else:
                unavailable = False
            for delivery in due:
                self._receivers.on_start(delivery.host)
                task = asyncio.create_task(self._handle(delivery, sender))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            # The end of a delivery makes room, for its host at least.
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait(
                {stopping, *self._running},
                timeout=_POLL if self._free_slots else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            await end(stopping)

    async def _take(self) -> list[Delivery]:
        receivers = self._receivers
        return await self._queue.take(
            self._free_slots,
            of_host=receivers.of_host,
            unanswered=receivers.unanswered,
            limits=receivers.limits(),
        )

    @property
    def _free_slots(self) -> int:
        return self._settings.webhook_slots - len(self._running)

    async def _handle(self, delivery: Delivery, sender: WebhookSender) -> None:
        """Deliver, and let no exception end the other deliveries."""
        answered: bool | None = None
        try:
            answered = await self._deliver(delivery, sender)
        except (StoreFull, Unavailable) as exc:
            # Its lease ends, and then it is due again.
            log.warning("webhook interrupted", job=delivery.job, reason=str(exc.__cause__))
        except Exception as exc:
            log.error("webhook failed", job=delivery.job, exc_info=exc)
            with suppress(StoreFull, Unavailable):
                await self._retry(delivery, DeliveryFailed("internal error", answered=True))
        finally:
            self._receivers.on_end(delivery.host, answered=answered)

    async def _deliver(self, delivery: Delivery, sender: WebhookSender) -> bool | None:
        """Return whether the receiver answered; None if nothing was sent."""
        with redis_errors():
            job = await self._jobs.get(delivery.job)
            webhook, project, headers = await self._jobs.webhook_of(delivery.job)
        # An open job was requeued; its next end is a delivery of its own.
        if job is None or webhook is None or job.state in OPEN_STATES:
            await self._queue.done(delivery)
            log.info("webhook dropped", job=delivery.job, expired=job is None)
            return None
        url = webhook.url
        if await self._queue.is_disabled(project, url):
            await self._end(delivery, Outcome.DISABLED)
            return None
        try:
            with continued_span("webhook", headers, SpanKind.CLIENT, job=job.id):
                await sender.send(project, url, job)
        except ReceiverGone:
            await self._queue.disable(project, url, ttl=self._settings.webhook_disabled_ttl)
            await self._end(delivery, Outcome.DISABLED)
        except DeliveryFailed as failure:
            await self._retry(delivery, failure)
            return failure.answered
        else:
            await self._end(delivery, Outcome.DELIVERED)
        return True

    async def _retry(self, delivery: Delivery, failure: DeliveryFailed) -> None:
        """Schedule another try, or end the delivery after the last attempt."""
        if delivery.attempt >= self._settings.webhook_attempts:
            await self._end(delivery, Outcome.GIVEN_UP, reason=str(failure))
            return
        seconds = max(failure.after, self._backoff(delivery.attempt))
        await self._queue.retry(delivery, min(seconds, self._settings.webhook_backoff_cap))
        self._record(delivery, Outcome.RETRIED, reason=str(failure))

    async def _end(self, delivery: Delivery, outcome: Outcome, **details: str) -> None:
        await self._queue.done(delivery)
        self._record(delivery, outcome, **details)

    def _record(self, delivery: Delivery, outcome: Outcome, **details: str) -> None:
        """Count the outcome of a try, and log it."""
        self._outcomes.labels(outcome).inc()
        write = log.warning if outcome is Outcome.GIVEN_UP else log.info
        write(f"webhook {outcome}", job=delivery.job, attempt=delivery.attempt, **details)

    def _backoff(self, attempt: int) -> float:
        """Return the seconds before the next try: exponential, with full jitter.

        Jitter spreads deliveries that failed together.
        """
        limit = self._settings.webhook_backoff * 2 ** (attempt - 1)
        return random.uniform(0, min(limit, self._settings.webhook_backoff_cap))

"""Webhook deliveries that are due, taken under a lease so that none is lost or sent twice at once.

The script that ends a job with a webhook puts the delivery here. A delivery whose process died is
due again when its lease ends. All times are Redis's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, redis_errors
from services.runtime.redis.scripts import Script, load_script

_TAKE = load_script(__package__, "webhook_take", when_full=True, RECORD=keys.JOB)
_DONE = load_script(__package__, "webhook_done", when_full=True)
_RETRY = load_script(__package__, "webhook_retry", when_full=True)


@dataclass(frozen=True)
class Delivery:
    """One attempt to report a job's end."""

    job: str
    host: str  # of the receiver, without a port
    attempt: int  # counts from 1
    leased_until: int  # milliseconds of Redis's clock


@dataclass(frozen=True)
class HostLimit:
    """Number of deliveries that a host may get now, if it differs from the default."""

    host: str
    free: int
    wait: float  # seconds until it may get more
    answers: bool  # whether it has answered before


class WebhookQueue:
    """The webhook deliveries of the suite. All methods raise Unavailable while Redis is away."""

    def __init__(self, redis: RedisClient, *, lease: float) -> None:
        self._redis = redis
        self._lease = int(lease * 1000)

    async def take(
        self, most: int, *, of_host: int, unanswered: int, limits: Sequence[HostLimit] = ()
    ) -> list[Delivery]:
        """Lease the deliveries that are due, the longest overdue first, `most` at most.

        A host gets `of_host` at most, unless `limits` names it; all hosts that have not answered
        yet get `unanswered` together. Deliveries that are left out become due again later.
        """
        queues = [keys.WEBHOOKS_DUE, keys.WEBHOOK_ATTEMPTS]
        args: list[Any] = [most, self._lease, of_host, unanswered]
        for one in limits:
            args += [one.host, one.free, int(one.wait * 1000), int(one.answers)]
        taken = await self._run(_TAKE, queues, *args)
        return [
            Delivery(job.decode(), host.decode(errors="replace"), attempt, until)
            for job, host, attempt, until in taken
        ]

    async def done(self, delivery: Delivery) -> None:
        """Remove a delivery that was accepted or given up."""
        queues = [keys.WEBHOOKS_DUE, keys.WEBHOOK_ATTEMPTS]
        await self._run(_DONE, queues, delivery.job, delivery.leased_until)

    async def retry(self, delivery: Delivery, delay: float) -> None:
        """Make a delivery due again in `delay` seconds."""
        milliseconds = int(delay * 1000)
        await self._run(
            _RETRY, [keys.WEBHOOKS_DUE], delivery.job, delivery.leased_until, milliseconds
        )

    async def disable(self, project: str, url: str, *, ttl: int) -> None:
        """Send nothing of a project to this URL for `ttl` seconds."""
        with redis_errors():
            await self._redis.execute("SET", keys.webhook_disabled(project, url), 1, "EX", ttl)

    async def is_disabled(self, project: str, url: str) -> bool:
        """Return whether nothing of a project may be sent to this URL now."""
        with redis_errors():
            return bool(await self._redis.execute("EXISTS", keys.webhook_disabled(project, url)))

    async def _run(self, script: Script, names: Sequence[str], *args: Any) -> Any:
        with redis_errors():
            return await self._redis.script(script, names, args)

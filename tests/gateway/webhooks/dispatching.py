"""A dispatcher of webhooks that runs in a test, and the jobs that end meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Internal
from contracts.imaging import Blob
from contracts.jobs import Job, JobResult, JobState, Webhook
from contracts.operations.pipeline import Pipeline
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.webhooks.signing import SECRET
from tests.processes import until_answer
from tests.stored_images import store_image

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


@asynccontextmanager
async def dispatching(url: str, *, stop: float = 5.0, **options: Any) -> AsyncIterator[Metrics]:
    """Run a dispatcher that may connect to this host and retries soon; yield its metrics."""
    given: dict[str, Any] = {
        "redis_url": url,
        "webhook_secret": SecretStr(SECRET),
        "webhook_allow_private": True,
        "webhook_ports": "1-65535",
        "webhook_timeout": 10.0,
        "webhook_lease": 15.0,
        "webhook_backoff": 0.01,
    }
    settings = GatewaySettings(**{**given, **options})
    redis, metrics = make_redis(settings), Metrics()
    queue = WebhookQueue(redis, lease=settings.webhook_lease)
    dispatcher = WebhookDispatcher(Jobs(redis, settings), queue, settings, metrics)
    await dispatcher.start()
    yield metrics
    await dispatcher.stop(stop)
    await redis.close()


@asynccontextmanager
async def connected(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    yield redis
    await redis.close()


def jobs_on(redis: RedisClient) -> Jobs:
    """Return the jobs of a Redis client."""
    return Jobs(redis, RuntimeSettings())


async def submitted(redis: RedisClient, url: str) -> Job:
    jobs = jobs_on(redis)
    webhook = Webhook(url=url)
    await store_image(redis, BLOB)
    return await jobs.submit(BLOB.key, (Pipeline(),), submitter="agency", webhook=webhook)


async def ended(redis: RedisClient, url: str, state: JobState = JobState.SUCCEEDED) -> Job:
    """Submit a job and end it as a worker, or its client, would."""
    jobs, job = jobs_on(redis), await submitted(redis, url)
    if state is JobState.CANCELLED:
        return await jobs.cancel(DEFAULT_PROJECT, job.id)
    running = await jobs.leases.start(job, "a-worker")
    assert running is not None
    problem = Internal("broken").failure() if state is JobState.FAILED else None
    blob = None if problem else BLOB
    done = await jobs.leases.add_result(running, JobResult(blob=blob, problem=problem))
    assert done is not None
    assert done.state is state
    return done


async def until_idle(redis: RedisClient) -> None:
    """Wait until no delivery, and no trace of one, is left in Redis."""

    async def is_idle() -> bool:
        found = set(await redis.execute("KEYS", "darkroom:webhooks*"))
        return not found - set(await disabled(redis))

    await until_answer(is_idle, seconds=15, every=0.02)


async def disabled(redis: RedisClient) -> list[Any]:
    return list(await redis.execute("KEYS", "darkroom:webhooks:disabled:*"))


def count(metrics: Metrics, outcome: str) -> int:
    name = "darkroom_webhooks_total"
    return int(metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0)

"""Webhooks: every end of a job is delivered, retried until it is accepted, and then forgotten."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from contracts.errors import Internal, InvalidRequest
from contracts.imaging import Blob
from contracts.jobs import Job, JobResult, JobState, Webhook
from contracts.operations.pipeline import Pipeline
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry import tracing
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.receiver import receiver
from tests.gateway.webhooks.signing import SECRET, verified
from tests.processes import free_port, mortal_valkey, valkey
from tests.stored_images import store_image

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    async with connected(redis_url) as redis:
        await redis.execute("FLUSHALL")
        yield redis


@asynccontextmanager
async def dispatching(url: str, *, stop: float = 5.0, **options: Any) -> AsyncIterator[Metrics]:
    """Run a dispatcher with short timeouts that may connect to this host; yield its metrics."""
    given: dict[str, Any] = {
        "redis_url": url,
        "webhook_secret": SecretStr(SECRET),
        "webhook_allow_private": True,
        "webhook_ports": "1-65535",
        "webhook_timeout": 2.0,
        "webhook_lease": 3.0,
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
    return await jobs.submit(BLOB, (Pipeline(),), submitter="agency", webhook=webhook)


async def ended(redis: RedisClient, url: str, state: JobState = JobState.SUCCEEDED) -> Job:
    """Submit a job and end it as a worker, or its client, would."""
    jobs, job = jobs_on(redis), await submitted(redis, url)
    if state is JobState.CANCELLED:
        return await jobs.cancel(job.id)
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
    async with asyncio.timeout(15):
        while set(await redis.execute("KEYS", "darkroom:webhooks*")) - set(await disabled(redis)):  # noqa: ASYNC110  Redis has no event for it
            await asyncio.sleep(0.02)


async def disabled(redis: RedisClient) -> list[Any]:
    return list(await redis.execute("KEYS", "darkroom:webhooks:disabled:*"))


def count(metrics: Metrics, outcome: str) -> int:
    name = "darkroom_webhooks_total"
    return int(metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
async def test_each_end_of_a_job_is_delivered_once_and_signed(
    state: JobState, redis: RedisClient, redis_url: str
) -> None:
    async with receiver() as listening, dispatching(redis_url) as metrics:
        job = await ended(redis, listening.url, state)
        [request] = await listening.receive(1)
        await until_idle(redis)

    event = verified(request)
    assert request.headers["content-type"] == "application/json"
    assert event["type"] == f"job.{state}"
    assert datetime.fromisoformat(event["timestamp"]) == job.updated_at
    known = json.loads(job.model_dump_json())
    assert {**event["data"], "results": []} == {**known, "results": []}
    assert count(metrics, "delivered") == 1
    links = [each["href"] for each in event["data"]["results"]]
    expected = {JobState.SUCCEEDED: [f"/v1/jobs/{job.id}/results/0"], JobState.FAILED: [None]}
    assert links == expected.get(state, [])


async def test_without_an_sdk_a_webhook_has_the_trace_context_of_its_job(
    redis: RedisClient, redis_url: str
) -> None:
    context = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "rojo=1,congo=2"}
    async with receiver() as listening, dispatching(redis_url):
        with tracing.continued_span("submission", context):
            await ended(redis, listening.url)
        [traced] = await listening.receive(1)
        await ended(redis, listening.url)
        _, untraced = await listening.receive(2)

    assert {name: traced.headers[name] for name in context} == context
    assert not context.keys() & untraced.headers.keys()


async def test_a_failed_delivery_is_retried_with_the_same_id(
    redis: RedisClient, redis_url: str
) -> None:
    async with (
        receiver("500 Internal Server Error", "404 Not Found") as listening,
        dispatching(redis_url) as metrics,
    ):
        await ended(redis, listening.url)
        requests = await listening.receive(3)
        await until_idle(redis)

    assert len({each.headers["webhook-id"] for each in requests}) == 1
    assert len({verified(each)["timestamp"] for each in requests}) == 1
    assert (count(metrics, "retried"), count(metrics, "delivered")) == (2, 1)


async def test_a_job_that_ends_again_is_delivered_with_another_id(
    redis: RedisClient, redis_url: str
) -> None:
    jobs = jobs_on(redis)
    async with receiver() as listening, dispatching(redis_url):
        failed = await ended(redis, listening.url, JobState.FAILED)
        await listening.receive(1)
        await redis.execute("HSET", keys.job(failed.id), "state", "running")
        await jobs.cancel(failed.id)
        first, second = await listening.receive(2)

    assert (verified(first)["type"], verified(second)["type"]) == ("job.failed", "job.cancelled")
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


async def test_a_redirect_is_a_failure_and_not_followed(redis: RedisClient, redis_url: str) -> None:
    async with receiver() as target:
        moved = f"307 Temporary Redirect\r\nLocation: {target.url}"
        async with receiver(moved) as listening, dispatching(redis_url):
            await ended(redis, listening.url)
            await listening.receive(2)
            await until_idle(redis)

    assert not target.requests


async def test_410_disables_a_url_and_no_other(redis: RedisClient, redis_url: str) -> None:
    async with receiver("410 Gone") as listening, dispatching(redis_url) as metrics:
        await ended(redis, listening.url)
        await listening.receive(1)
        await until_idle(redis)
        await ended(redis, listening.url)
        await until_idle(redis)
        assert len(listening.requests) == 1
        await ended(redis, f"{listening.url}?other")
        await listening.receive(2)

    assert count(metrics, "disabled") == 2
    [key] = await disabled(redis)
    assert await redis.execute("TTL", key) > 23 * 3600


@pytest.mark.serial
async def test_a_timeout_is_retried_before_its_lease_ends(
    redis: RedisClient, redis_url: str
) -> None:
    async with (
        receiver(asyncio.Event()) as listening,
        dispatching(redis_url, webhook_timeout=0.3) as metrics,
    ):
        await ended(redis, listening.url)
        first, second = await listening.receive(2)
        await until_idle(redis)

    assert 0.3 <= second.at - first.at < 2, "before the lease ends"
    assert (count(metrics, "retried"), count(metrics, "delivered")) == (1, 1)


async def test_an_endless_answer_is_not_read_to_its_end(redis: RedisClient, redis_url: str) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000)
    async with receiver(endless) as listening, dispatching(redis_url) as metrics:
        await ended(redis, listening.url)
        await until_idle(redis)

    assert count(metrics, "delivered") == 1


async def test_a_delivery_that_always_fails_is_given_up_and_logged(
    redis: RedisClient, redis_url: str
) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}/hook?token=t"
    with capture_logs() as logs:
        async with dispatching(redis_url, webhook_attempts=2) as metrics:
            job = await ended(redis, unreachable)
            await until_idle(redis)

    assert (count(metrics, "retried"), count(metrics, "given_up")) == (1, 1)
    [line] = [line for line in logs if line["log_level"] == "warning"]
    assert (line["event"], line["job"], line["attempt"]) == ("webhook given_up", job.id, 2)
    assert "ConnectError" in line["reason"]
    assert "token" not in str(logs)


async def test_retry_after_delays_the_next_try(redis: RedisClient, redis_url: str) -> None:
    async with (
        receiver("429 Too Many Requests\r\nRetry-After: 1") as listening,
        dispatching(redis_url, webhook_timeout=0.5, webhook_lease=0.6),
    ):
        await ended(redis, listening.url)
        first, second = await listening.receive(2)

    assert second.at - first.at >= 1


async def test_retry_after_delays_no_longer_than_the_cap(
    redis: RedisClient, redis_url: str
) -> None:
    busy = f"503 Service Unavailable\r\nRetry-After: {10**30}"
    async with receiver(busy) as listening, dispatching(redis_url, webhook_backoff_cap=0.5):
        await ended(redis, listening.url)
        await listening.receive(2)


@pytest.mark.slow
async def test_a_dead_gateways_delivery_is_sent_by_another_after_its_lease(
    redis: RedisClient, redis_url: str
) -> None:
    async with receiver(asyncio.Event()) as listening:
        async with dispatching(redis_url, stop=0, webhook_lease=2.5):
            await ended(redis, listening.url)
            await listening.receive(1)
        async with dispatching(redis_url):
            first, second = await listening.receive(2)
            await until_idle(redis)

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.at - first.at >= 2.3


async def test_a_graceful_stop_waits_for_running_deliveries(
    redis: RedisClient, redis_url: str
) -> None:
    slow = asyncio.Event()
    async with receiver(slow) as listening:
        async with dispatching(redis_url):
            await ended(redis, listening.url)
            await listening.receive(1)
            asyncio.get_running_loop().call_later(0.3, slow.set)
        assert await redis.execute("EXISTS", keys.WEBHOOKS_DUE) == 0
    assert len(listening.requests) == 1


async def test_two_gateways_share_the_deliveries(redis: RedisClient, redis_url: str) -> None:
    async with receiver() as listening:
        jobs = [await ended(redis, listening.url) for _ in range(60)]
        async with dispatching(redis_url) as one, dispatching(redis_url) as other:
            await listening.receive(60)
            await until_idle(redis)

    delivered = sorted(verified(request)["data"]["id"] for request in listening.requests)
    assert delivered == sorted(job.id for job in jobs)
    assert min(count(one, "delivered"), count(other, "delivered")) > 0


async def test_only_so_many_deliveries_run_at_once(redis: RedisClient, redis_url: str) -> None:
    slow = asyncio.Event()
    async with receiver(slow, slow, slow) as listening, dispatching(redis_url, webhook_slots=2):
        for _ in range(3):
            await ended(redis, listening.url)
        await listening.receive(2)
        with pytest.raises(TimeoutError):
            await listening.receive(3, within=0.7)
        slow.set()
        await listening.receive(3)
        await until_idle(redis)


@pytest.mark.slow
async def test_a_restart_of_redis_loses_no_delivery(tmp_path: Path) -> None:
    slow = asyncio.Event()
    with mortal_valkey(tmp_path) as server:
        async with (
            receiver(slow) as listening,
            dispatching(server.url) as metrics,
            connected(server.url) as redis,
        ):
            before = await ended(redis, listening.url)
            await listening.receive(1)
            server.kill()
            slow.set()
            await asyncio.sleep(1)  # time is the subject: Redis is down for so long
            await asyncio.to_thread(server.start)
            after = await until_written(redis, listening.url)
            requests = await listening.receive(3)
            await until_idle(redis)

    delivered = [verified(each)["data"]["id"] for each in requests]
    assert (delivered.count(before.id), delivered.count(after.id)) == (2, 1)
    ids = {each.headers["webhook-id"] for each in requests}
    assert len(ids) == 2, "a receiver can recognise the repeat"
    assert count(metrics, "delivered") == 2


async def until_written(redis: RedisClient, url: str) -> Job:
    async with asyncio.timeout(5):
        while True:
            try:
                return await ended(redis, url)
            except RedisError:
                await asyncio.sleep(0.05)


async def test_nothing_is_sent_to_a_private_address(redis: RedisClient, redis_url: str) -> None:
    settings = {"webhook_allow_private": False, "webhook_attempts": 1}
    async with receiver() as listening, dispatching(redis_url, **settings) as metrics:
        await ended(redis, listening.url)
        await ended(redis, listening.url.replace("127.0.0.1", "localhost"))
        await until_idle(redis)

    assert count(metrics, "given_up") == 2
    assert not listening.requests


async def test_a_delivery_is_dropped_when_its_job_has_expired_or_is_open_again(
    redis: RedisClient, redis_url: str
) -> None:
    async with receiver() as listening, dispatching(redis_url):
        job = await submitted(redis, listening.url)
        await redis.execute("ZADD", keys.WEBHOOKS_DUE, 1, "f" * 32, 1, job.id)
        await until_idle(redis)
        assert not listening.requests


async def test_a_bug_in_one_delivery_harms_no_other(redis: RedisClient, redis_url: str) -> None:
    with capture_logs() as logs:
        async with receiver() as listening, dispatching(redis_url, webhook_attempts=2) as metrics:
            odd = await submitted(redis, listening.url)
            await redis.execute("HSET", keys.job(odd.id), "state", "nonsense")
            await redis.execute("ZADD", keys.WEBHOOKS_DUE, 1, odd.id)
            job = await ended(redis, listening.url)
            await listening.receive(1)
            await until_idle(redis)

    assert [verified(request)["data"]["id"] for request in listening.requests] == [job.id]
    assert count(metrics, "given_up") == 1
    bugs = [line for line in logs if line["log_level"] == "error"]
    assert [line["job"] for line in bugs] == [odd.id, odd.id]


def dispatcher_of(settings: GatewaySettings) -> WebhookDispatcher:
    redis = make_redis(settings)
    queue = WebhookQueue(redis, lease=settings.webhook_lease)
    return WebhookDispatcher(Jobs(redis, settings), queue, settings, Metrics())


async def test_a_webhook_that_could_never_be_delivered_is_refused() -> None:
    receiver = Webhook(url="https://agency.example/darkroom")
    dispatcher = dispatcher_of(GatewaySettings(webhook_secret=SecretStr(SECRET)))

    dispatcher.check(receiver)
    with pytest.raises(InvalidRequest, match="reachable"):
        dispatcher.check(Webhook(url="http://127.0.0.1/"))
    with pytest.raises(InvalidRequest, match="DARKROOM_WEBHOOK_SECRET"):
        dispatcher_of(GatewaySettings()).check(receiver)


async def test_without_a_secret_due_deliveries_are_left_to_other_gateways(
    redis: RedisClient, redis_url: str
) -> None:
    await redis.execute("ZADD", keys.WEBHOOKS_DUE, 1, "f" * 32)
    async with dispatching(redis_url, webhook_secret=None):
        await asyncio.sleep(0.1)  # time is the subject: a delivery would have started

    assert await redis.execute("ZSCORE", keys.WEBHOOKS_DUE, "f" * 32) == 1

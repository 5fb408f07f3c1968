"""Webhooks: every end of a job is delivered, retried until it is accepted, and then forgotten."""

import asyncio
import json
from datetime import datetime

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import InvalidRequest
from contracts.jobs import JobState, Webhook
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.telemetry import tracing
from services.runtime.telemetry.metrics import Metrics
from tests.attempts import attempts
from tests.gateway.receiver import receiver
from tests.gateway.webhooks.dispatching import (
    count,
    disabled,
    dispatching,
    ended,
    jobs_on,
    submitted,
    until_idle,
)
from tests.gateway.webhooks.signing import SECRET, verified
from tests.processes import free_port


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
        await jobs.cancel(DEFAULT_PROJECT, failed.id)
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
    for attempt in attempts():
        async with (
            receiver(asyncio.Event()) as listening,
            dispatching(redis_url, webhook_timeout=0.3, webhook_lease=3) as metrics,
        ):
            await ended(redis, listening.url)
            first, second = (await listening.receive(2))[:2]
            await until_idle(redis)

        with attempt:
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
    for attempt in attempts():
        async with (
            receiver("429 Too Many Requests\r\nRetry-After: 1") as listening,
            dispatching(redis_url, webhook_timeout=0.5, webhook_lease=0.6),
        ):
            await ended(redis, listening.url)
            first, second = (await listening.receive(2))[:2]
            await until_idle(redis)
        with attempt:  # on a busy machine, the first answer may come too late
            assert second.at - first.at >= 1


async def test_retry_after_delays_no_longer_than_the_cap(
    redis: RedisClient, redis_url: str
) -> None:
    busy = f"503 Service Unavailable\r\nRetry-After: {10**30}"
    async with receiver(busy) as listening, dispatching(redis_url, webhook_backoff_cap=0.5):
        await ended(redis, listening.url)
        await listening.receive(2)


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

"""Completion webhooks: each end is told, signed, until it is heard, and leaves nothing behind."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError
from structlog.testing import capture_logs

from contracts.errors import Internal, InvalidRequest
from contracts.imaging import Blob
from contracts.jobs import Job, JobResult, JobState, Webhook
from contracts.operations.pipeline import Pipeline
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.gateway.webhooks.payload import documentation
from services.gateway.webhooks.sender import DeliveryFailed, WebhookSender
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import DUE, WebhookQueue
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.receiver import Received, receiver
from tests.processes import free_port, mortal_valkey, valkey

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        yield redis


@asynccontextmanager
async def telling(url: str, *, stop: float = 5.0, **options: Any) -> AsyncIterator[Metrics]:
    """A gateway's webhooks, impatient and allowed to talk to this host; its metrics."""
    given: dict[str, Any] = {
        "redis_url": url,
        "webhook_secret": SecretStr(SECRET),
        "webhook_allow_private": True,
        "webhook_timeout": 2.0,
        "webhook_lease": 3.0,
        "webhook_backoff": 0.01,
    }
    settings = GatewaySettings(**{**given, **options})
    redis, metrics = make_redis(settings), Metrics()
    deliveries = WebhookQueue(redis, lease=settings.webhook_lease)
    webhooks = WebhookDispatcher(Jobs(redis, settings), deliveries, settings, metrics)
    await webhooks.start()
    yield metrics
    await webhooks.stop(stop)
    await redis.connection_pool.disconnect()


@cache
def jobs_on(redis: Redis) -> Jobs:
    """One for each client, as a process has: it holds a connection."""
    return Jobs(redis, RuntimeSettings())


async def submitted(redis: Redis, url: str) -> Job:
    jobs = jobs_on(redis)
    webhook = Webhook(url=url)
    return await jobs.submit(BLOB, (Pipeline(),), submitter="agency", webhook=webhook)


async def ended(redis: Redis, url: str, state: JobState = JobState.SUCCEEDED) -> Job:
    """A job that has ended, as a worker or its client would have it end."""
    jobs, job = jobs_on(redis), await submitted(redis, url)
    if state is JobState.CANCELLED:
        return await jobs.cancel(job.id)
    running = await jobs.start(job, "a-worker")
    assert running is not None
    problem = Internal("broken").failure() if state is JobState.FAILED else None
    blob = None if problem else BLOB
    done = await jobs.add_result(running, JobResult(blob=blob, problem=problem))
    assert done is not None
    assert done.state is state
    return done


async def over(redis: Redis) -> None:
    """Return once nothing is left to deliver, or to remember of it."""
    async with asyncio.timeout(15):
        while set(await redis.keys("darkroom:webhooks*")) - set(await disabled(redis)):  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.02)


async def disabled(redis: Redis) -> list[Any]:
    return list(await redis.keys("darkroom:webhooks:disabled:*"))


def verified(heard: Received) -> dict[str, Any]:
    """The event, by the verification of Standard Webhooks' own library."""
    event: dict[str, Any] = Signer(SECRET).verify(heard.body, heard.headers)
    return event


def count(metrics: Metrics, outcome: str) -> int:
    name = "darkroom_webhooks_total"
    return int(metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
async def test_each_end_is_told_once_and_signed(
    state: JobState, redis: Redis, redis_url: str
) -> None:
    async with receiver() as hearing, telling(redis_url) as metrics:
        job = await ended(redis, hearing.url, state)
        [heard] = await hearing.receive(1)
        await over(redis)

    event = verified(heard)
    assert heard.headers["content-type"] == "application/json"
    assert event["type"] == f"job.{state}"
    assert datetime.fromisoformat(event["timestamp"]) == job.updated_at
    known = json.loads(job.model_dump_json())
    assert {**event["data"], "results": []} == {**known, "results": []}
    assert count(metrics, "delivered") == 1
    links = [each["href"] for each in event["data"]["results"]]
    expected = {JobState.SUCCEEDED: [f"/v1/jobs/{job.id}/results/0"], JobState.FAILED: [None]}
    assert links == expected.get(state, [])


async def test_what_fails_is_told_again_under_the_same_id(redis: Redis, redis_url: str) -> None:
    async with (
        receiver("500 Internal Server Error", "404 Not Found") as hearing,
        telling(redis_url) as metrics,
    ):
        await ended(redis, hearing.url)
        heard = await hearing.receive(3)
        await over(redis)

    assert len({each.headers["webhook-id"] for each in heard}) == 1
    assert len({verified(each)["timestamp"] for each in heard}) == 1
    assert (count(metrics, "retried"), count(metrics, "delivered")) == (2, 1)


async def test_a_job_that_ends_again_is_told_under_another_id(redis: Redis, redis_url: str) -> None:
    jobs = jobs_on(redis)
    async with receiver() as hearing, telling(redis_url):
        failed = await ended(redis, hearing.url, JobState.FAILED)
        await hearing.receive(1)
        await redis.hset(f"darkroom:job:{failed.id}", "state", "running")
        await jobs.cancel(failed.id)
        first, second = await hearing.receive(2)

    assert (verified(first)["type"], verified(second)["type"]) == ("job.failed", "job.cancelled")
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


async def test_a_redirect_is_a_failure_and_not_followed(redis: Redis, redis_url: str) -> None:
    async with receiver() as elsewhere:
        moved = f"307 Temporary Redirect\r\nLocation: {elsewhere.url}"
        async with receiver(moved) as hearing, telling(redis_url):
            await ended(redis, hearing.url)
            await hearing.receive(2)
            await over(redis)

    assert not elsewhere.requests


async def test_gone_disables_a_url_and_no_other(redis: Redis, redis_url: str) -> None:
    async with receiver("410 Gone") as hearing, telling(redis_url) as metrics:
        await ended(redis, hearing.url)
        await hearing.receive(1)
        await over(redis)
        await ended(redis, hearing.url)
        await over(redis)
        assert len(hearing.requests) == 1
        await ended(redis, f"{hearing.url}?other")
        await hearing.receive(2)

    assert count(metrics, "disabled") == 2
    [key] = await disabled(redis)
    assert await redis.ttl(key) > 23 * 3600


async def test_a_slow_receiver_is_told_again(redis: Redis, redis_url: str) -> None:
    async with (
        receiver(asyncio.Event()) as hearing,
        telling(redis_url, webhook_timeout=0.3) as metrics,
    ):
        await ended(redis, hearing.url)
        first, second = await hearing.receive(2)
        await over(redis)

    assert 0.3 <= second.at - first.at < 2, "not as late as its lease would have it"
    assert (count(metrics, "retried"), count(metrics, "delivered")) == (1, 1)


async def test_an_endless_answer_is_not_listened_to(redis: Redis, redis_url: str) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000)
    async with receiver(endless) as hearing, telling(redis_url) as metrics:
        await ended(redis, hearing.url)
        await over(redis)

    assert count(metrics, "delivered") == 1


async def test_what_is_never_heard_is_given_up_and_said(redis: Redis, redis_url: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/hook?token=t"
    with capture_logs() as logs:
        async with telling(redis_url, webhook_attempts=2) as metrics:
            job = await ended(redis, nobody)
            await over(redis)

    assert (count(metrics, "retried"), count(metrics, "given_up")) == (1, 1)
    [said] = [line for line in logs if line["log_level"] == "warning"]
    assert (said["event"], said["job"], said["attempt"]) == ("webhook given_up", job.id, 2)
    assert "ConnectError" in said["reason"]
    assert "token" not in str(logs)


async def test_a_receiver_may_ask_for_time(redis: Redis, redis_url: str) -> None:
    async with (
        receiver("429 Too Many Requests\r\nRetry-After: 1") as hearing,
        telling(redis_url, webhook_timeout=0.5, webhook_lease=0.6),
    ):
        await ended(redis, hearing.url)
        first, second = await hearing.receive(2)

    assert second.at - first.at >= 1


async def test_nobody_may_ask_for_more_time_than_the_cap(redis: Redis, redis_url: str) -> None:
    busy = f"503 Service Unavailable\r\nRetry-After: {10**30}"
    async with receiver(busy) as hearing, telling(redis_url, webhook_backoff_cap=0.5):
        await ended(redis, hearing.url)
        await hearing.receive(2)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (formatdate(4_000_000_000, usegmt=True), 1e9), ("soon", 0), ("-1", 0)],
)
async def test_both_forms_of_retry_after_are_understood(
    value: str, seconds: float, redis: Redis
) -> None:
    courier = WebhookSender([SECRET], timeout=2, allow_private=True)
    async with receiver(f"503 Service Unavailable\r\nRetry-After: {value}") as hearing:
        with pytest.raises(DeliveryFailed) as unheard:
            await courier.send(hearing.url, await ended(redis, hearing.url))
    await courier.close()

    later = 4_000_000_000 - datetime.now().timestamp() if seconds == 1e9 else seconds
    assert unheard.value.after == pytest.approx(later, abs=5)


async def test_what_a_gateway_had_when_it_died_is_told_by_another(
    redis: Redis, redis_url: str
) -> None:
    async with receiver(asyncio.Event()) as hearing:
        async with telling(redis_url, stop=0, webhook_lease=2.5):
            await ended(redis, hearing.url)
            await hearing.receive(1)
        async with telling(redis_url):
            first, second = await hearing.receive(2)
            await over(redis)

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.at - first.at >= 2.3


async def test_a_graceful_stop_lets_what_is_in_hand_end(redis: Redis, redis_url: str) -> None:
    slow = asyncio.Event()
    async with receiver(slow) as hearing:
        async with telling(redis_url):
            await ended(redis, hearing.url)
            await hearing.receive(1)
            asyncio.get_running_loop().call_later(0.3, slow.set)
        assert await redis.exists(DUE) == 0
    assert len(hearing.requests) == 1


async def test_two_gateways_tell_each_end_once(redis: Redis, redis_url: str) -> None:
    async with receiver() as hearing:
        jobs = [await ended(redis, hearing.url) for _ in range(60)]
        async with telling(redis_url) as one, telling(redis_url) as other:
            await hearing.receive(60)
            await over(redis)

    told = sorted(verified(heard)["data"]["id"] for heard in hearing.requests)
    assert told == sorted(job.id for job in jobs)
    assert min(count(one, "delivered"), count(other, "delivered")) > 0


async def test_no_more_are_under_way_at_once_than_allowed(redis: Redis, redis_url: str) -> None:
    slow = asyncio.Event()
    async with receiver(slow, slow, slow) as hearing, telling(redis_url, webhook_slots=2):
        for _ in range(3):
            await ended(redis, hearing.url)
        await hearing.receive(2)
        with pytest.raises(TimeoutError):
            await hearing.receive(3, within=0.7)
        slow.set()
        await hearing.receive(3)
        await over(redis)


async def test_redis_killed_and_back_loses_none(tmp_path: Path) -> None:
    slow = asyncio.Event()
    with mortal_valkey(tmp_path) as server:
        async with (
            receiver(slow) as hearing,
            telling(server.url) as metrics,
            Redis.from_url(server.url) as redis,
        ):
            before = await ended(redis, hearing.url)
            await hearing.receive(1)
            server.kill()
            slow.set()
            await asyncio.sleep(1)
            await asyncio.to_thread(server.start)
            after = await until_written(redis, hearing.url)
            heard = await hearing.receive(3)
            await over(redis)

    told = [verified(each)["data"]["id"] for each in heard]
    assert (told.count(before.id), told.count(after.id)) == (2, 1)
    ids = {each.headers["webhook-id"] for each in heard}
    assert len(ids) == 2, "who heard it before can tell"
    assert count(metrics, "delivered") == 2


async def until_written(redis: Redis, url: str) -> Job:
    async with asyncio.timeout(5):
        while True:
            try:
                return await ended(redis, url)
            except RedisError:
                await asyncio.sleep(0.05)


async def test_a_receiver_in_a_private_network_is_not_told(redis: Redis, redis_url: str) -> None:
    settings = {"webhook_allow_private": False, "webhook_attempts": 1}
    async with receiver() as hearing, telling(redis_url, **settings) as metrics:
        await ended(redis, hearing.url)
        await ended(redis, hearing.url.replace("127.0.0.1", "localhost"))
        await over(redis)

    assert count(metrics, "given_up") == 2
    assert not hearing.requests


async def test_jobs_without_a_record_or_open_again_are_forgotten(
    redis: Redis, redis_url: str
) -> None:
    async with receiver() as hearing, telling(redis_url):
        job = await submitted(redis, hearing.url)
        await redis.zadd(DUE, {"f" * 32: 1, job.id: 1})
        await over(redis)
        assert not hearing.requests


async def test_a_bug_that_one_brings_out_harms_no_other(redis: Redis, redis_url: str) -> None:
    with capture_logs() as logs:
        async with receiver() as hearing, telling(redis_url, webhook_attempts=2) as metrics:
            odd = await submitted(redis, hearing.url)
            await redis.hset(f"darkroom:job:{odd.id}", "state", "nonsense")
            await redis.zadd(DUE, {odd.id: 1})
            job = await ended(redis, hearing.url)
            await hearing.receive(1)
            await over(redis)

    assert [verified(heard)["data"]["id"] for heard in hearing.requests] == [job.id]
    assert count(metrics, "given_up") == 1
    bugs = [line for line in logs if line["log_level"] == "error"]
    assert [line["job"] for line in bugs] == [odd.id, odd.id]


def webhooks_of(settings: GatewaySettings) -> WebhookDispatcher:
    redis = make_redis(settings)
    deliveries = WebhookQueue(redis, lease=settings.webhook_lease)
    return WebhookDispatcher(Jobs(redis, settings), deliveries, settings, Metrics())


async def test_what_would_never_be_delivered_is_refused() -> None:
    receiver = Webhook(url="https://agency.example/darkroom")
    able = webhooks_of(GatewaySettings(webhook_secret=SecretStr(SECRET)))

    able.check(receiver)
    with pytest.raises(InvalidRequest, match="reachable"):
        able.check(Webhook(url="http://127.0.0.1:8000/"))
    with pytest.raises(InvalidRequest, match="DARKROOM_WEBHOOK_SECRET"):
        webhooks_of(GatewaySettings()).check(receiver)


async def test_without_a_secret_what_is_due_is_left_to_other_gateways(
    redis: Redis, redis_url: str
) -> None:
    await redis.zadd(DUE, {"f" * 32: 1})
    async with telling(redis_url, webhook_secret=None):
        await asyncio.sleep(0.1)

    assert await redis.zscore(DUE, "f" * 32) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "%" * 32,
        "whsk_" + base64.b64encode(bytes(32)).decode(),
        SECRET + " " + "whsec_" + "%" * 32,
        base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_WEBHOOK_SECRET", secret)
    with pytest.raises(ValidationError, match="whsec_ and 24 to 64 bytes") as refused:
        GatewaySettings()
    assert not secret or secret not in str(refused.value).replace("whsec_ and", "")


async def test_while_secrets_change_either_one_verifies(redis: Redis, redis_url: str) -> None:
    new = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
    async with (
        receiver() as hearing,
        telling(redis_url, webhook_secret=SecretStr(f"{new} {SECRET}")),
    ):
        await ended(redis, hearing.url)
        await over(redis)

    (heard,) = hearing.requests
    for secret in (new, SECRET):
        assert Signer(secret).verify(heard.body, heard.headers)
    with pytest.raises(WebhookVerificationError):
        Signer(f"whsec_{base64.b64encode(bytes(32)).decode()}").verify(heard.body, heard.headers)


def test_the_secret_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_WEBHOOK_SECRET", SECRET.rstrip("="))
    settings = GatewaySettings()

    assert settings.webhook_secret is not None
    assert SECRET.rstrip("=") not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_lease_outlasts_a_try() -> None:
    with pytest.raises(ValidationError, match="webhook_lease"):
        GatewaySettings(webhook_lease=5, webhook_timeout=5)


def test_the_document_says_what_is_sent() -> None:
    http = FastAPI()
    http.webhooks.include_router(documentation)

    document = http.openapi()

    told = document["webhooks"]["job-ended"]["post"]
    headers = {each["name"] for each in told["parameters"] if each["required"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert "WebhookPayload" in str(told["requestBody"])
    assert not any("422" in each or "Validation" in each for each in told["responses"])

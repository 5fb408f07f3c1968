"""Webhook deliveries in Redis: leased, counted, and removed without a trace."""

import asyncio

import pytest
from redis.asyncio import Redis

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Unavailable
from contracts.jobs import Webhook
from services.runtime.jobs.webhook_queue import Delivery, HostLimit, WebhookQueue
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from tests.processes import free_port
from tests.runtime.echo import settings_for

URL = "https://agency.example/darkroom?token=t"


async def take(queue: WebhookQueue, most: int) -> list[Delivery]:
    """Take deliveries without limits for single hosts."""
    return await queue.take(most, of_host=most, unanswered=most)


async def until_taken(deliveries: WebhookQueue) -> Delivery:
    async with asyncio.timeout(20):
        while True:
            for delivery in await take(deliveries, 1):
                return delivery
            await asyncio.sleep(0.01)


async def seconds_until_due(redis: Redis) -> float:
    """Return the time until the only delivery is due, and make it due now."""
    seconds, microseconds = await redis.time()
    due = await redis.zscore(keys.WEBHOOKS_DUE, "job")
    assert due is not None
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    return due / 1000 - seconds - microseconds / 1_000_000


async def test_due_deliveries_are_taken_the_longest_overdue_first(
    redis: Redis, client: RedisClient
) -> None:
    seconds, _ = await redis.time()
    later = (seconds + 60) * 1000
    await redis.zadd(keys.WEBHOOKS_DUE, {"second": 2, "first": 1, "third": 3, "later": later})
    deliveries = WebhookQueue(client, lease=30)

    assert [delivery.job for delivery in await take(deliveries, 2)] == ["first", "second"]
    assert [delivery.job for delivery in await take(deliveries, 2)] == ["third"]
    assert await take(deliveries, 2) == []
    assert await redis.zscore(keys.WEBHOOKS_DUE, "later") == later


async def test_a_delivery_is_due_again_after_its_lease_and_counts_the_attempt(
    redis: Redis, client: RedisClient
) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    deliveries = WebhookQueue(client, lease=60)
    [first] = await take(deliveries, 1)
    assert await take(deliveries, 1) == []
    assert 30 < await seconds_until_due(redis) <= 60
    [second] = await take(deliveries, 1)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.leased_until > first.leased_until


async def test_simultaneous_takers_get_each_delivery_once(
    redis: Redis, redis_url: str, client: RedisClient
) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {f"job-{number}": 1 for number in range(200)})
    other = make_redis(settings_for(redis_url))
    takers = [WebhookQueue(each, lease=30) for each in (client, other) * 10]

    taken = await asyncio.gather(*(take(taker, 16) for taker in takers))

    jobs = [delivery.job for each in taken for delivery in each]
    assert len(jobs) == len(set(jobs)) == 200
    await other.close()


async def test_a_done_delivery_leaves_nothing_behind(redis: Redis, client: RedisClient) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    deliveries = WebhookQueue(client, lease=30)

    [delivery] = await take(deliveries, 1)
    await deliveries.done(delivery)

    assert await redis.keys() == []


async def test_a_retry_is_due_after_its_delay(redis: Redis, client: RedisClient) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    deliveries = WebhookQueue(client, lease=30)

    [first] = await take(deliveries, 1)
    await deliveries.retry(first, 90)
    assert await take(deliveries, 1) == []
    assert 60 < await seconds_until_due(redis) <= 90, "after the delay, and not after the lease"
    [second] = await take(deliveries, 1)
    assert second.attempt == 2


async def test_a_process_that_lost_its_lease_changes_nothing(
    redis: Redis, client: RedisClient
) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    deliveries = WebhookQueue(client, lease=0.1)

    [late] = await take(deliveries, 1)
    now = await until_taken(deliveries)
    await deliveries.done(late)
    await deliveries.retry(late, 0)
    assert await redis.zscore(keys.WEBHOOKS_DUE, "job") == now.leased_until

    await deliveries.done(now)
    await deliveries.retry(late, 0)
    assert await redis.keys() == []


async def test_a_job_that_ends_again_meanwhile_is_due_again(
    redis: Redis, client: RedisClient
) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 1})
    deliveries = WebhookQueue(client, lease=30)

    [before] = await take(deliveries, 1)
    await redis.zadd(keys.WEBHOOKS_DUE, {"job": 2})
    await deliveries.done(before)

    assert [delivery.job for delivery in await take(deliveries, 1)] == ["job"]


async def test_a_url_is_disabled_for_a_time_and_is_not_stored_in_plain_text(
    redis: Redis, client: RedisClient
) -> None:
    deliveries = WebhookQueue(client, lease=30)

    await deliveries.disable(DEFAULT_PROJECT, URL, ttl=60)

    assert await deliveries.is_disabled(DEFAULT_PROJECT, URL)
    assert not await deliveries.is_disabled(DEFAULT_PROJECT, URL + "2")
    [key] = await redis.keys()
    assert b"token" not in key
    assert 50 < await redis.ttl(key) <= 60


async def test_every_method_raises_unavailable_without_redis() -> None:
    redis = make_redis(settings_for(f"redis://127.0.0.1:{free_port()}"))
    deliveries = WebhookQueue(redis, lease=30)
    delivery = Delivery("job", "agency.example", 1, 1)

    for call in (
        take(deliveries, 1),
        deliveries.done(delivery),
        deliveries.retry(delivery, 1),
        deliveries.disable(DEFAULT_PROJECT, URL, ttl=1),
        deliveries.is_disabled(DEFAULT_PROJECT, URL),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_the_count_of_attempts_goes_with_the_delivery(
    redis: Redis, client: RedisClient
) -> None:
    await redis.zadd(keys.WEBHOOKS_DUE, {"one": 1, "two": 2})
    deliveries = WebhookQueue(client, lease=30)

    [one] = await take(deliveries, 1)
    await take(deliveries, 1)
    await deliveries.done(one)

    assert await redis.hgetall(keys.WEBHOOK_ATTEMPTS) == {b"two": b"1"}


async def due(redis: Redis, job: str, url: str) -> None:
    """Make a delivery due, of a job whose record names its receiver."""
    await redis.hset(keys.job(job), "webhook", Webhook(url=url).model_dump_json())
    await redis.zadd(keys.WEBHOOKS_DUE, {job: 1})


async def test_a_host_gets_its_share_and_the_others_theirs(
    redis: Redis, client: RedisClient
) -> None:
    for number in range(200):
        await due(redis, f"a-{number:03}", f"https://Silent.example:{8000 + number}/")
    await due(redis, "b", "https://agency.example/")
    queue = WebhookQueue(client, lease=30)

    taken = await queue.take(16, of_host=4, unanswered=16)
    hosts = [delivery.host for delivery in taken]

    assert sorted(hosts) == ["agency.example", *["silent.example"] * 4]
    full = HostLimit("silent.example", free=0, wait=0, answers=False)
    assert await queue.take(16, of_host=4, unanswered=16, limits=[full]) == []
    seconds, _ = await redis.time()
    assert await redis.zcount(keys.WEBHOOKS_DUE, 0, seconds * 1000) == 64, "the rest is due later"
    assert len(await redis.hgetall(keys.WEBHOOK_ATTEMPTS)) == 5, "waiting is no attempt"


async def test_a_host_that_answers_keeps_slots_from_those_that_have_not(
    redis: Redis, client: RedisClient
) -> None:
    for number in range(20):
        await due(redis, f"a-{number:02}", f"https://unknown-{number}.example/")
    await due(redis, "b", "https://agency.example/")
    queue = WebhookQueue(client, lease=30)
    known = HostLimit("agency.example", free=4, wait=0, answers=True)

    taken = await queue.take(16, of_host=4, unanswered=3, limits=[known])

    assert [delivery.host for delivery in taken].count("agency.example") == 1
    assert len(taken) == 4


async def test_a_host_with_a_pause_is_left_out_until_its_end(
    redis: Redis, client: RedisClient
) -> None:
    await due(redis, "a", "https://silent.example/")
    queue = WebhookQueue(client, lease=30)
    pause = HostLimit("silent.example", free=0, wait=60, answers=False)

    assert await queue.take(16, of_host=4, unanswered=16, limits=[pause]) == []

    seconds, _ = await redis.time()
    at = await redis.zscore(keys.WEBHOOKS_DUE, "a")
    assert at is not None
    assert 55_000 < at - seconds * 1000 < 62_000


async def test_a_record_that_cannot_be_read_does_not_stop_the_others(
    redis: Redis, client: RedisClient
) -> None:
    await redis.hset(keys.job("broken"), "webhook", "{")
    await redis.set(keys.job("wrong-type"), "text")
    await redis.zadd(keys.WEBHOOKS_DUE, {"broken": 1, "wrong-type": 1, "expired": 1})
    await due(redis, "good", "https://agency.example/")

    taken = await WebhookQueue(client, lease=30).take(16, of_host=4, unanswered=16)

    assert {delivery.job for delivery in taken} == {"broken", "wrong-type", "expired", "good"}

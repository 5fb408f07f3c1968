"""News of purges, over a real Redis that is lost, silent and back again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.control import CONTROL, Cancel
from services.gateway.delivery.purges import PurgeNews
from services.runtime.messaging.envelope import pack_message
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from tests.attempts import attempts
from tests.processes import mortal_valkey, until

IMAGE = "1" * 64


class Heard:
    def __init__(self, redis: RedisClient) -> None:
        self.purges: list[str] = []
        self.losses = 0
        self.hears_at_losses: list[bool] = []
        self.news = PurgeNews(redis, on_purge=self.purges.append, on_loss=self._lose)

    def _lose(self) -> None:
        self.losses += 1
        self.hears_at_losses.append(self.news.hears())


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = make_redis(RuntimeSettings(redis_url=redis_url))
    yield client
    await client.close()


async def test_a_purge_is_heard_by_every_gateway(redis: RedisClient) -> None:
    first, second = Heard(redis), Heard(redis)
    for heard in (first, second):
        assert not heard.news.hears()
        await heard.news.start()
    await until(lambda: first.news.hears() and second.news.hears())

    await redis.execute("PUBLISH", CONTROL, b"not for anybody")
    await redis.execute("PUBLISH", CONTROL, pack_message(Cancel(subject=IMAGE), "id"))
    await first.news.announce(IMAGE)
    await until(lambda: first.purges == second.purges == [IMAGE])
    for heard in (first, second):
        await heard.news.stop()
        assert not heard.news.hears()


async def test_a_lost_subscription_is_noticed_at_once_and_made_again(redis: RedisClient) -> None:
    heard = Heard(redis)
    await heard.news.start()
    await until(heard.news.hears)
    losses = heard.losses

    await redis.execute("CLIENT", "KILL", "TYPE", "PUBSUB")
    await until(lambda: heard.losses > losses)
    await until(heard.news.hears)
    assert heard.losses == losses + 2, "what was begun between both may have missed a purge"
    assert not any(heard.hears_at_losses)
    await heard.news.announce(IMAGE)
    await until(lambda: heard.purges == [IMAGE])
    await heard.news.stop()


async def test_a_silent_redis_ends_the_use_of_the_cache_until_it_answers(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        redis = make_redis(RuntimeSettings(redis_url=server.url))
        heard = Heard(redis)
        await heard.news.start()
        await until(heard.news.hears)
        for attempt in attempts():
            losses = heard.losses
            server.pause()
            with attempt:
                # A purge that it can't hear of counts within a second, as every purge.
                await until(lambda: not heard.news.hears(), seconds=1.2)
            await until(lambda: not heard.news.hears())
            await asyncio.sleep(0.6)
            assert not heard.news.hears(), "a PING that is sent proves nothing"
            server.resume()
            await until(heard.news.hears)
            assert heard.losses == losses, "nothing was missed"
        await heard.news.stop()
        await redis.close()

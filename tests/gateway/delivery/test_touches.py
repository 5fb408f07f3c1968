"""The lives of blobs whose answers come from memory, on a real Redis."""

import math
import time
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from contracts.imaging import Blob
from services.gateway.delivery.cache import Answer, DeliveryCache, Key, Source
from services.gateway.delivery.touches import Touches
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.records import Kind, NewBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.stored_images import store_image

DATA = b"rendition"
IMAGE = sha256(b"an image of these tests alone").hexdigest()
RENDITION = sha256(b"a rendition of these tests alone").hexdigest()
KEY: Key = (b"", b"/v1/images/1/render", b"", None)
RECORD, INDEX = keys.blob(Kind.RENDITION, RENDITION), keys.renditions_of(IMAGE)
TTL = 100


class Suite:
    """A cache with one answer, made from a rendition that is stored."""

    def __init__(self, redis: RedisClient) -> None:
        storage = make_storage(RuntimeSettings(store="redis:"), redis, Metrics())
        self.redis = redis
        self.renditions = Renditions(storage)
        self.cache = DeliveryCache(1 << 20, on_eviction=lambda: None)
        self.touches = Touches(self.cache, Images(storage), self.renditions, ttl=TTL)

    async def fill(self, kind: Kind = Kind.RENDITION, *, confirmed: float = 0.0) -> Answer:
        """Store image and rendition, and keep an answer that was given once."""
        image = Blob(key=IMAGE, media_type="image/png", bytes=1)
        await store_image(self.redis, image, ttl=1000)
        blob = Blob(key=RENDITION, media_type="image/webp", bytes=len(DATA))
        await self.renditions.keep([NewBlob(blob, DATA, images=(IMAGE,))], ttl=TTL)
        if kind is Kind.RENDITION:
            source = Source(kind, RENDITION, sha256(DATA).hexdigest(), (IMAGE,))
        else:
            source = Source(kind, IMAGE, IMAGE, (IMAGE,))
        answer = Answer(
            source=source,
            body=DATA,
            headers=[],
            unchanged=[],
            tag=b'"a"',
            route=None,
            made=confirmed,
            fresh=math.inf,
            dated=kind is Kind.IMAGE,
            ends=math.inf,
            confirmed=confirmed,
        )
        self.cache.put(KEY, answer, self.cache.moment)
        assert self.cache.find(KEY, confirmed)
        return answer


@pytest.fixture
async def suite(redis_url: str) -> AsyncIterator[Suite]:
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    yield Suite(redis)
    await redis.execute("UNLINK", RECORD, INDEX, keys.blob(Kind.IMAGE, IMAGE))
    await redis.close()


async def test_a_used_rendition_lives_on_and_stays_in_the_index_of_its_image(suite: Suite) -> None:
    answer = await suite.fill()
    for name in (RECORD, INDEX):
        await suite.redis.execute("EXPIRE", name, 5)

    await suite.touches.touch(time.monotonic())
    for name in (RECORD, INDEX):
        assert await suite.redis.execute("TTL", name) > TTL - 5
    assert answer.ends == pytest.approx(time.monotonic() + TTL, abs=20)
    assert not answer.used
    assert not suite.cache.used
    assert suite.cache.find(KEY, answer.confirmed)


async def test_a_blob_is_touched_again_after_an_interval_and_only_if_it_was_used(
    suite: Suite,
) -> None:
    now = time.monotonic()
    await suite.fill(confirmed=now)
    await suite.redis.execute("EXPIRE", RECORD, 5)
    await suite.touches.touch(now + 1)
    assert await suite.redis.execute("TTL", RECORD) <= 5

    await suite.touches.touch(now + TTL / 4)
    await suite.redis.execute("EXPIRE", RECORD, 5)
    await suite.touches.touch(now + TTL)
    assert await suite.redis.execute("TTL", RECORD) <= 5, "nobody has used it since"


async def test_the_last_use_counts_of_an_answer_that_has_left(suite: Suite) -> None:
    await suite.fill(confirmed=time.monotonic())
    await suite.redis.execute("EXPIRE", RECORD, 5)
    suite.cache.drop(KEY)
    await suite.touches.touch(time.monotonic())
    assert await suite.redis.execute("TTL", RECORD) > TTL - 5


@pytest.mark.parametrize("lost", [RECORD, keys.blob(Kind.IMAGE, IMAGE)])
async def test_an_answer_whose_rendition_or_image_is_gone_is_dropped(
    suite: Suite, lost: str
) -> None:
    await suite.fill()
    await suite.redis.execute("UNLINK", lost)
    await suite.touches.touch(time.monotonic())
    assert len(suite.cache) == 0


async def test_an_answer_whose_rendition_has_other_bytes_is_dropped(suite: Suite) -> None:
    await suite.fill()
    await suite.redis.execute("HSET", RECORD, "digest", "f" * 64)
    await suite.touches.touch(time.monotonic())
    assert len(suite.cache) == 0


async def test_an_answer_ends_with_its_image(suite: Suite) -> None:
    for kind in Kind:
        answer = await suite.fill(kind)
        await suite.redis.execute("EXPIRE", keys.blob(Kind.IMAGE, IMAGE), 50)
        await suite.touches.touch(time.monotonic())
        assert answer.ends == pytest.approx(time.monotonic() + 50, abs=20)
        assert await suite.redis.execute("TTL", keys.blob(Kind.IMAGE, IMAGE)) <= 50
        # One whose header names the moment of its end has the age that it has.
        assert answer.made == (0.0 if answer.dated else answer.confirmed)


async def test_an_answer_of_a_source_ends_with_its_freshness(suite: Suite) -> None:
    """Even if the image is kept for longer: its source may send another one by then."""
    answer = await suite.fill()
    now = time.monotonic()
    answer.latest = now + 5
    await suite.touches.touch(now + TTL)
    assert answer.ends == now + 5
    assert suite.cache.find(KEY, now + 6) is None

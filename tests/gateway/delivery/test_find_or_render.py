"""A search that asks a worker for what it does not find, in one trip, over a real Redis."""

import asyncio

import pytest

from contracts.errors import NoWorkers
from contracts.imaging import Blob, Render, result_key
from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.delivery.find_or_render import FindOrRender
from services.gateway.rpc import ImagingClient
from services.runtime.redis.client import RedisClient
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.lookups import Lookup
from services.runtime.storage.records import Kind, NewBlob, StoredBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.delivery.one_worker import RENDERED, Suite
from tests.processes import until
from tests.runtime.echo import PassThrough

PIPELINE = Pipeline(operations=(Grayscale(),))


class Stored:
    """Images and renditions beside a suite, and searches for them."""

    def __init__(self, suite: Suite) -> None:
        self.redis: RedisClient = suite.gateway.redis
        storage = make_storage(RuntimeSettings(), self.redis, Metrics())
        self.images, self.renditions = Images(storage), Renditions(storage)

    async def image(self) -> StoredBlob:
        return await self.images.keep_bytes(b"\x89PNG\r\n\x1a\n, not of a real one", ttl=100)

    async def rendition(self, image: str) -> Blob:
        blob = Blob(key=_key(image), media_type="image/png", bytes=4)
        await self.renditions.keep([NewBlob(blob, b"data", images=[image])], ttl=50)
        return blob


def _key(image: str) -> str:
    return result_key(image, PIPELINE.model_dump_json())


def search_for(image: str, project: str = "default") -> FindOrRender:
    key = _key(image)
    lookup = Lookup(project, (image,), rendition=key, ttl=50, bytes_of=Kind.RENDITION)
    return FindOrRender(lookup, key, PIPELINE.model_dump_json())


async def test_a_missing_rendition_is_asked_for_in_the_trip_that_misses_it(suite: Suite) -> None:
    stored = Stored(suite)
    image = await stored.image()
    search = search_for(image.blob.key)
    suite.worker.go.set()

    reply = await suite.client.find_or_render(search, timeout=5)

    assert reply is not None
    assert (reply.body, reply.worker) == (RENDERED, suite.serving.worker)
    assert suite.worker.requests == [Render(source=image.blob, pipeline=PIPELINE)]
    assert search.found is not None
    assert (search.found.image.stored, search.found.rendition) == (image, None)


async def test_no_worker_is_asked_for_what_is_stored_or_has_no_image(suite: Suite) -> None:
    stored = Stored(suite)
    image = await stored.image()
    await stored.rendition(image.blob.key)
    wanted = [search_for(image.blob.key), search_for(image.blob.key, "other"), search_for("0" * 64)]
    assert suite.client.expects_renders

    for search in wanted:
        assert await suite.client.find_or_render(search, timeout=5) is None
        assert search.answered

    found, *missing = [search.found for search in wanted]
    assert found is not None
    assert found.rendition is not None
    assert found.rendition.part == b"data"
    assert missing == [None, None]
    assert not suite.worker.requests
    # A stored result makes another one likely, and a render another render.
    assert not suite.client.expects_renders
    suite.worker.go.set()
    await asyncio.gather(*suite.asked(1))
    assert suite.client.expects_renders


async def test_a_request_joins_the_render_that_a_search_has_asked_for(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    first = asyncio.create_task(suite.client.find_or_render(search_for(image.key), timeout=5))
    await until(lambda: bool(suite.worker.requests))
    second = search_for(image.key)
    assert await suite.client.find_or_render(second, timeout=5) is None
    assert not second.answered

    call = suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5)
    joined = asyncio.create_task(call)
    await asyncio.wait([joined], timeout=0.01)
    suite.worker.go.set()

    reply = await first
    assert reply is not None
    assert not reply.collapsed
    assert (await joined).collapsed
    assert len(suite.worker.requests) == 1


async def test_who_joins_a_search_that_finds_the_result_has_a_call_of_its_own(
    suite: Suite,
) -> None:
    stored = Stored(suite)
    image = (await stored.image()).blob
    await stored.rendition(image.key)
    suite.worker.go.set()
    found, rendered = await asyncio.gather(
        suite.client.find_or_render(search_for(image.key), timeout=5),
        suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5),
    )
    assert found is None
    assert rendered.body == RENDERED


async def test_a_search_answers_without_a_worker(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    await suite.serving.stop()
    search = search_for(image.key)
    assert await suite.client.find_or_render(search, timeout=5) is None
    assert search.found is not None
    with pytest.raises(NoWorkers):
        await suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5)


async def test_a_call_that_a_middleware_has_to_see_is_not_sent_by_a_search(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    suite.gateway.add_middleware(PassThrough)
    search = search_for(image.key)
    assert await suite.client.find_or_render(search, timeout=5) is None
    assert not search.answered
    suite.worker.go.set()
    await suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5)


async def test_a_gateway_that_may_not_call_leaves_the_search_to_others(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    busy = CoalescingClient(ImagingClient(suite.gateway, max_calls=0), suite.gateway.metrics)
    searches = [search_for(image.key), search_for(image.key)]
    assert await busy.find_or_render(searches[0], timeout=5) is None
    await suite.gateway.inbox.stop()
    assert await suite.client.find_or_render(searches[1], timeout=5) is None
    assert not any(search.answered for search in searches)


async def test_a_full_redis_finds_what_is_stored_and_sends_nothing(suite: Suite) -> None:
    stored = Stored(suite)
    image = (await stored.image()).blob
    await stored.redis.execute("CONFIG", "SET", "maxmemory", 1)
    missing = search_for(image.key)
    assert await suite.client.find_or_render(missing, timeout=5) is None
    assert not missing.answered

    await stored.redis.execute("CONFIG", "SET", "maxmemory", 0)
    await stored.rendition(image.key)
    await stored.redis.execute("CONFIG", "SET", "maxmemory", 1)
    search = search_for(image.key)
    assert await suite.client.find_or_render(search, timeout=5) is None
    assert search.found is not None
    assert search.found.rendition is not None
    assert not suite.worker.requests
    await stored.redis.execute("CONFIG", "SET", "maxmemory", 0)

"""A search that asks a worker for what it does not find, in one trip, over a real Redis."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from contracts.errors import NoWorkers
from contracts.imaging import RENDER, Render
from contracts.methods import Transport
from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.rpc import ImagingClient
from services.runtime.redis import keys
from services.runtime.storage.lookups import Found
from services.runtime.storage.records import Kind, Place
from services.runtime.storage.render_claims import OFFER_LIFE, image_in, owner_in
from tests.gateway.delivery.one_worker import RENDERED, Suite
from tests.gateway.delivery.searches import PIPELINE, Stored, lookup_for, search_for
from tests.processes import until
from tests.runtime.echo import PassThrough


async def test_a_missing_rendition_is_asked_for_in_the_trip_that_misses_it(suite: Suite) -> None:
    stored = Stored(suite)
    image = await stored.image()
    search = search_for(image.blob.key)
    suite.worker.end.set()

    reply = await suite.client.find_or_render(search, timeout=5)

    assert reply is not None
    assert (reply.body, reply.worker) == (RENDERED, suite.serving.worker)
    assert suite.worker.requests == [Render(source=image.blob, pipeline=PIPELINE)]
    found = search.found()
    assert found is not None
    assert (found.image.stored, found.rendition) == (image, None)


async def test_a_search_takes_the_claim_for_its_request_and_says_what_it_has_found(
    suite: Suite,
) -> None:
    stored = Stored(suite)
    image, redis = await stored.image(), stored.redis
    search, claim = search_for(image.blob.key), keys.render_claim(search_for(image.blob.key).key)
    record = keys.blob(Kind.IMAGE, image.blob.key)
    suite.worker.end.set()

    async def asked() -> Mapping[bytes, bytes]:
        assert await suite.client.find_or_render(search, timeout=5) is not None
        return suite.worker.entries.pop()

    assert owner_in(await asked()) is None, "the worker reads the bytes in Redis with the record"
    await redis.execute("HSET", record, "place", "passing")
    entry = await asked()
    owner = owner_in(entry)
    assert owner is not None
    assert await redis.execute("GET", claim) == owner.encode()
    assert 0 < await redis.execute("PTTL", claim) <= 1000 * OFFER_LIFE
    assert image_in(entry, image.blob) == replace(image, place=Place.PASSING, created=0)

    await redis.execute("SET", claim, "another worker")
    assert owner_in(await asked()) is None
    assert await redis.execute("GET", claim) == b"another worker"
    await redis.execute("DEL", claim)
    for field in ("damaged", "verdict:of some decoders"):
        await redis.execute("HSET", record, field, "1")
        assert owner_in(await asked()) is None
        assert not await redis.execute("EXISTS", claim)
        await redis.execute("HDEL", record, field)


async def test_a_request_that_has_to_wait_for_a_worker_brings_no_claim(suite: Suite) -> None:
    stored = Stored(suite)
    image, redis = await stored.image(), stored.redis
    await redis.execute("HSET", keys.blob(Kind.IMAGE, image.blob.key), "place", "passing")
    rooms = keys.capacities(RENDER.address(Transport.STREAM))

    async def asked(operations: int) -> None:
        # Until the next heartbeat says again how much room there is.
        await redis.execute("HSET", rooms, suite.serving.worker, 2)
        pipeline = Pipeline(operations=(Grayscale(),) * operations)
        search = search_for(image.blob.key, pipeline=pipeline)
        assert await suite.client.find_or_render(search, timeout=5) is not None

    asking = []
    for number in range(5):
        asking.append(asyncio.create_task(asked(number)))
        await until(lambda: len(suite.worker.entries) == len(asking))
    suite.worker.end.set()
    await asyncio.gather(*asking)
    owners = [owner_in(entry) for entry in suite.worker.entries]
    assert [owner is not None for owner in owners] == [True] * 4 + [False], "twice the room"


async def test_no_worker_is_asked_for_what_is_stored_or_has_no_image(suite: Suite) -> None:
    stored = Stored(suite)
    image = await stored.image()
    await stored.rendition(image.blob.key)
    wanted = [search_for(image.blob.key), search_for(image.blob.key, "other"), search_for("0" * 64)]
    assert suite.client.expects_renders

    for search in wanted:
        assert await suite.client.find_or_render(search, timeout=5) is None
        assert search.answered

    found, *missing = [search.found() for search in wanted]
    assert found is not None
    assert found.rendition is not None
    assert found.rendition.part == b"data"
    assert missing == [None, None]
    assert not suite.worker.requests
    # A stored result makes another one likely, and a render another render.
    assert not suite.client.expects_renders
    suite.worker.end.set()
    await asyncio.gather(*suite.asked(1))
    assert suite.client.expects_renders


async def test_a_call_that_is_needless_is_no_error_of_its_trace(
    suite: Suite, spans: InMemorySpanExporter
) -> None:
    stored = Stored(suite)
    image = (await stored.image()).blob
    await stored.rendition(image.key)

    assert await suite.client.find_or_render(search_for(image.key), timeout=5) is None

    [span] = [one for one in spans.get_finished_spans() if one.kind is SpanKind.CLIENT]
    assert span.status.status_code is StatusCode.UNSET
    assert not span.events


async def test_a_search_answers_without_a_worker(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    await suite.serving.stop()
    search = search_for(image.key)
    assert await suite.client.find_or_render(search, timeout=5) is None
    assert search.found() is not None
    with pytest.raises(NoWorkers):
        await suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5)


async def test_a_call_that_a_middleware_has_to_see_is_not_sent_by_a_search(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    suite.gateway.add_middleware(PassThrough)
    search = search_for(image.key)
    assert await suite.client.find_or_render(search, timeout=5) is None
    assert not search.answered
    suite.worker.end.set()
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
    found = search.found()
    assert found is not None
    assert found.rendition is not None
    assert not suite.worker.requests
    await stored.redis.execute("CONFIG", "SET", "maxmemory", 0)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("place", "cellar", "not a valid Place"),
        ("bytes", "12x", "invalid literal"),
        ("bytes", "1e999", "invalid literal"),
        ("media_type", b"\xff", "can't decode"),
    ],
)
async def test_a_damaged_record_fails_its_own_request_as_without_a_worker(
    suite: Suite, field: str, value: bytes, reason: str
) -> None:
    stored = Stored(suite)
    image = (await stored.image()).blob
    await stored.redis.execute("HSET", keys.blob(Kind.IMAGE, image.key), field, value)
    suite.worker.end.set()
    connection = await stored.redis.execute("CLIENT", "ID")

    with pytest.raises(ValueError, match=reason) as ordinary:
        await stored.lookups.find(lookup_for(image.key))
    with pytest.raises(type(ordinary.value)) as failure:
        await _find_or_render(suite, stored, image.key)

    assert str(failure.value) == str(ordinary.value)
    # All open commands of the process would fail with their connection.
    assert await stored.redis.execute("CLIENT", "ID") == connection


async def _find_or_render(suite: Suite, stored: Stored, image: str) -> Found | None:
    """Return what a request of the gateway finds: in the ordinary way, if no search was made."""
    search = search_for(image)
    await suite.client.find_or_render(search, timeout=5)
    return search.found() if search.answered else await stored.lookups.find(lookup_for(image))


async def test_a_search_that_cannot_take_its_answer_ends_its_call(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = (await Stored(suite).image()).blob
    search = search_for(image.key)
    suite.worker.end.set()
    monkeypatch.setattr(search, "take", lambda answer: answer["found"])
    with pytest.raises(TypeError):
        await suite.client.find_or_render(search, timeout=5)

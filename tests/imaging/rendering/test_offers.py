"""Claims that a gateway's search has taken, and that come with its request, over a real Redis."""

import asyncio
import time

import pytest

from contracts.methods import Transport
from services.imaging import handlers
from services.imaging.rendering import claims
from services.imaging.rendering.claims import Offer
from services.runtime.faststream_adapter.message import message_of
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.destination import DATA_FIELD
from services.runtime.storage.records import Place
from services.runtime.storage.render_claims import DIGEST, OWNER, PLACE, PROJECT
from tests.imaging.rendering.workers import CALL, CLAIM, Worker, Workers

OFFERED = {OWNER: "a-search", PLACE: "passing", DIGEST: "", PROJECT: ""}


def offered(
    worker: Worker, *, age: float = 0.0, deliveries: int = 1, fields: dict[str, str] = OFFERED
) -> Offer | None:
    """Return the offer of a request whose entry has these fields."""
    data = {DATA_FIELD: CALL.model_dump_json(), **fields}
    entry = {name.encode(): value.encode() for name, value in data.items()}
    moment = f"{int(1000 * (time.time() - age))}-0".encode()
    message = message_of(Transport.STREAM, Received("stream", entry, moment, deliveries))
    return handlers.offer_of(message, CALL, worker.coalescing.claims)


async def taken_by_a_search(worker: Worker) -> Offer:
    await worker.broker.redis.execute("SET", CLAIM, OFFERED[OWNER], "PX", 60_000)
    offer = offered(worker)
    assert offer is not None
    return offer


async def test_an_entry_offers_its_claim_while_that_surely_lasts(workers: Workers) -> None:
    one, _ = workers
    offer = offered(one)
    assert offer is not None
    assert offer.image.stored.blob == CALL.source
    assert offer.image.stored.place is Place.PASSING
    assert offer.image.stored.digest == CALL.source.key
    assert offered(one, age=0.8) is None
    assert offered(one, deliveries=2) is None
    assert offered(one, fields={}) is None


async def test_a_render_takes_an_offered_claim_over_and_others_wait_for_it(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_TAKE_OVER", 0.02)
    one, other = workers
    first = await one.asked_and_started(await taken_by_a_search(one))
    await one.renews(less_than=30)
    waits = await other.waits()
    one.renders.end.set()
    await asyncio.gather(first, waits)
    assert (one.renders.started, other.renders.started) == (1, 0)
    await one.sees(lambda value: value is None)


async def test_an_offer_that_no_render_takes_over_ends_with_its_request(workers: Workers) -> None:
    one, _ = workers
    with await taken_by_a_search(one):
        assert await one.claimed() == b"a-search"
    await one.sees(lambda value: value is None)


async def test_a_request_that_joins_a_render_gives_its_claim_up(workers: Workers) -> None:
    """The render may wait for that claim."""
    one, _ = workers
    await taken_by_a_search(one)
    waits = await one.waits()
    joins = one.asked(offer=offered(one))
    one.renders.end.set()
    async with asyncio.timeout(20):
        await asyncio.gather(waits, joins)
    assert one.renders.started == 1

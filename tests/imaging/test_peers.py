"""Workers that have a format: found by what they announced, and blamed for what they lack."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.errors import InvalidOperation, ServiceError, UnsupportedFormat
from contracts.formats import Format
from contracts.imaging import RENDER, Blob, Render
from contracts.methods import Transport
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from services.imaging import peers
from services.imaging.peers import Peers
from services.runtime.redis import keys
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.setup import make_storage
from tests.imaging.pictures import encoded, quadrants
from tests.processes import valkey
from tests.runtime.echo import broker_on

ADDRESS = RENDER.address(Transport.STREAM)
SOON = 25_000  # milliseconds


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    with valkey() as running:
        broker = broker_on(str(running.connection_url))
        yield broker
        await broker.redis.close()


async def announce(broker: Broker, worker: str, **report: Any) -> None:
    seconds, _ = await broker.redis.execute("TIME")
    life = 1000 * int(seconds) + SOON
    await broker.redis.execute("ZADD", keys.responders(ADDRESS), life, worker)
    await broker.redis.execute("HSET", keys.WORKERS, worker, json.dumps(report))


def images_of(broker: Broker) -> Images:
    return Images(make_storage(RuntimeSettings(), broker.redis, broker.metrics))


def request(source: Format, output: Format | None = None) -> Render:
    blob = Blob(key="0" * 64, media_type=source.spec.media_type, bytes=1)
    return Render(source=blob, pipeline=Pipeline(output=Output(format=output)))


async def test_a_worker_is_able_if_it_announced_every_format(broker: Broker) -> None:
    await announce(broker, "old")
    await announce(broker, "plain", formats=["jpeg", "png"])
    await announce(broker, "heif", formats=["jpeg", "heif"])
    await announce(broker, "jxl", formats=["jpeg", "jxl"])
    able = Peers(broker, images_of(broker))._able

    async def able_to(wanted: Render) -> list[str]:
        return sorted(await able(wanted, wanted.formats()))

    assert await able_to(request(Format.HEIF)) == ["heif"]
    assert await able_to(request(Format.JPEG)) == ["heif", "jxl", "plain"]
    refusals: list[ServiceError] = []
    for wanted in (request(Format.WEBP), request(Format.HEIF, Format.JXL)):
        with pytest.raises(ServiceError) as caught:
            await able_to(wanted)
        refusals.append(caught.value)
    assert [type(refusal) for refusal in refusals] == [UnsupportedFormat, InvalidOperation]
    assert refusals[0].detail == "No running worker reads WebP."
    assert refusals[1].detail.endswith("no running worker has all that this needs: HEIF, JPEG XL.")


async def test_the_formats_beyond_a_worker_include_those_of_watermarks(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = images_of(broker)
    source = await images.keep_bytes(encoded(quadrants(), "PNG"), ttl=60)
    stamp = await images.keep_bytes(encoded(quadrants(), "HEIF"), ttl=60)
    marked = Render(
        source=source.blob,
        pipeline=Pipeline(operations=(Watermark(image=stamp.blob.key),)),
    )
    formats_beyond = Peers(broker, images).formats_beyond
    assert await formats_beyond(marked) == set(), "this worker has every format"
    monkeypatch.setattr(peers, "_MISSING", frozenset({Format.HEIF}))
    assert await formats_beyond(marked) == {Format.PNG, Format.HEIF}
    assert await formats_beyond(request(Format.PNG, Format.JXL)) == set()
    theirs = await images.keep_bytes(encoded(quadrants(), "PNG"), ttl=60, project="website")
    # The failure of a format would tell a project that another one has the watermark.
    assert await formats_beyond(marked.model_copy(update={"source": theirs.blob})) == set()


def test_this_worker_announces_what_it_has() -> None:
    assert peers.announcement() == {"formats": [format.value for format in Format]}

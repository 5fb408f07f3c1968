"""A small result comes with the reply to a caller that takes it, and is stored all the same."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from faststream.redis import RedisMessage
from faststream.redis.message import UnifyRedisDict
from redis.asyncio import Redis

from contracts.imaging import RENDER, Blob, Render, Rendered
from contracts.methods import Transport
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from services.imaging import handlers
from services.imaging.pool.executor import CallTimes
from services.runtime.redis.client import make_redis
from services.runtime.rpc.attachments import ATTACH_UP_TO, ATTACHED, split
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.telemetry.metrics import Metrics
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service

PIPELINE = Pipeline(operations=(Resize(width=40),))
RAW = UnifyRedisDict(type="message", channel="imaging.render", data=b"", pattern=None)


class Caller:
    """A caller of the imaging service, and the storage."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self.broker = Broker(make_redis(settings), settings)
        self.storage = make_storage(settings, self.broker.redis, Metrics())
        self.renditions = Renditions(self.storage)

    async def upload(self) -> Blob:
        """Store a picture."""
        return (await Images(self.storage).keep_bytes(encoded(scenery(80, 60), "PNG"), ttl=60)).blob

    async def render(
        self, source: Blob, headers: dict[str, str], *, reuse: bool
    ) -> tuple[Rendered, bytes, dict[str, str]]:
        """Return the result, what is attached to the reply, and the reply's headers."""
        request = Render(source=source, pipeline=PIPELINE, reuse=reuse)
        stream = RENDER.address(Transport.STREAM)
        reply = await self.broker.request(request, stream=stream, headers=headers)
        text, attached = split(reply.body, reply.headers)
        return Rendered.model_validate_json(text), attached, reply.headers


@pytest.fixture
async def caller(imaging: Service, redis_url: str) -> AsyncIterator[Caller]:
    caller = Caller(RuntimeSettings(redis_url=redis_url, store="redis:"))
    await caller.broker.start()
    yield caller
    await stop_storage(caller.storage)
    await caller.broker.stop()


async def test_a_small_result_comes_with_the_reply(caller: Caller) -> None:
    source = await caller.upload()
    rendered, attached, _ = await caller.render(source, {ATTACH_UP_TO: "65536"}, reuse=False)
    assert len(attached) == rendered.blob.bytes
    assert attached == await caller.renditions.get(rendered.blob)


@pytest.mark.parametrize("up_to", ["", "10", "-1", "many"])
async def test_a_caller_that_takes_no_such_result_gets_the_claim_check_alone(
    caller: Caller, up_to: str
) -> None:
    source = await caller.upload()
    rendered, _, headers = await caller.render(source, {ATTACH_UP_TO: up_to}, reuse=False)
    assert ATTACHED not in headers
    assert await caller.renditions.get(rendered.blob)


async def test_a_lone_reply_leaves_by_the_script_that_stores_its_result(
    caller: Caller, redis_url: str
) -> None:
    source = await caller.upload()
    async with Redis.from_url(redis_url) as plain, plain.monitor() as monitor:
        asking = asyncio.create_task(caller.render(source, {ATTACH_UP_TO: "65536"}, reuse=False))
        names, by_script = list[str](), list[bool]()
        async for command in monitor.listen():
            name, address, *_ = f"{command['command']} ".split(" ")
            if names or (name == "PUBLISH" and address.startswith("darkroom.replies.")):
                names.append(name)
                by_script.append(command["client_type"] == "lua")
            if len(names) == 3:
                break
        rendered, attached, _ = await asking
    assert (names, by_script) == (["PUBLISH", "XACK", "XDEL"], [True] * 3)
    assert attached == await caller.renditions.get(rendered.blob)


async def test_a_stored_result_is_not_read_for_a_reply(caller: Caller) -> None:
    source = await caller.upload()
    await caller.render(source, {}, reuse=True)
    rendered, attached, _ = await caller.render(source, {ATTACH_UP_TO: "65536"}, reuse=True)
    assert (rendered.reused, attached) == (True, b"")


def test_a_worker_attaches_no_more_than_its_own_limit() -> None:
    message = RedisMessage(raw_message=RAW, body=b"", headers={ATTACH_UP_TO: "999999999"})
    reply = Rendered(blob=Blob(key="a" * 64, media_type="image/png", bytes=1), width=1, height=1)
    for size, attached in (256 << 10, True), (1 + (256 << 10), False):
        response = handlers._response(reply, CallTimes(0, 0), message, bytes(size))
        assert (ATTACHED in response.headers) == attached

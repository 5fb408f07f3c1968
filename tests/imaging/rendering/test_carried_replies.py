"""The step that stores a result carries its reply, and no other step does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Gone, ServiceError, StoreFull
from contracts.formats import Format
from contracts.imaging import Blob, Render
from services.imaging.pool.executor import CallTimes, Opening
from services.imaging.pool.messages import Made, RenderCall
from services.imaging.rendering.outcomes import Finished
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.redis.scripts import FollowUp
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.purge import Purge
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.telemetry.metrics import Metrics
from tests.processes import valkey

DATA = b"pixels"


class Pool:
    """In place of the pool processes: something that happens meanwhile, and a result."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def run(
        self, call: RenderCall, opening: Opening, **options: Any
    ) -> tuple[list[Made], CallTimes]:
        if self.meanwhile is not None:
            await self.meanwhile()
        times = dict.fromkeys(("decode_ms", "operations_ms", "encode_ms"), 0.0)
        made = Made(format=Format.PNG, width=3, height=2, size=len(DATA), data=DATA, **times)
        return [made], CallTimes(queue_ms=1, work_ms=2)


class Worker:
    """The parts of a worker that render, and what their replies have been."""

    def __init__(self, redis: RedisClient, storage: Storage, settings: ImagingSettings) -> None:
        self.redis, self.storage = redis, storage
        pool: Any = Pool()
        self.pool: Pool = pool
        self._renders = Renders(pool, Images(storage), Renditions(storage), settings)
        self.left = 0

    async def upload(self) -> Blob:
        return (await Images(self.storage).keep_bytes(b"image", ttl=60)).blob

    async def render(self, request: Render) -> Finished:
        def carry(finished: Finished, times: CallTimes) -> FollowUp:
            reply = f"{finished.rendered.width} {len(finished.data)} {times.work_ms:g}"
            return FollowUp([("RPUSH", "replies", reply)], self._note)

        finished, _ = await self._renders.render(request, timeout=5, lend=nullcontext, carry=carry)
        return finished

    async def replies(self) -> list[bytes]:
        replies: list[bytes] = await self.redis.execute("LRANGE", "replies", 0, -1)
        return replies

    def _note(self) -> None:
        self.left += 1


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    with valkey() as server:
        settings = ImagingSettings(redis_url=str(server.connection_url), store="redis:")
        redis = make_redis(settings)
        storage = make_storage(settings, redis, Metrics())
        yield Worker(redis, storage, settings)
        await stop_storage(storage)
        await redis.close()


async def test_a_result_is_replied_when_it_is_stored_and_not_when_it_is_found(
    worker: Worker,
) -> None:
    request = Render(source=await worker.upload())
    assert not (await worker.render(request)).rendered.reused
    assert (await worker.replies(), worker.left) == ([b"3 6 2"], 1)
    assert (await worker.render(request)).rendered.reused
    assert (await worker.replies(), worker.left) == ([b"3 6 2"], 1)


@pytest.mark.parametrize("failure", [Gone, StoreFull])
async def test_a_result_that_is_not_stored_is_not_replied(
    worker: Worker, failure: type[ServiceError]
) -> None:
    source = await worker.upload()

    async def delete() -> None:
        assert await Purge(worker.storage, longest=60).image(DEFAULT_PROJECT, source.key)

    async def fill() -> None:
        await worker.redis.execute("CONFIG", "SET", "maxmemory", "1mb")

    worker.pool.meanwhile = delete if failure is Gone else fill
    with pytest.raises(failure):
        await worker.render(Render(source=source))
    assert (await worker.replies(), worker.left) == ([], 0)

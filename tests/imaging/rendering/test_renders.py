"""Renders with a real pool and a real Redis: looked up, opened, done, and stored."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from redis import Redis

from contracts.errors import (
    Code,
    Gone,
    ImageUnreadable,
    NotFound,
    ServiceError,
    StoreFull,
    Unavailable,
)
from contracts.formats import Format
from contracts.imaging import Blob, Depth, Inspect, Render, Rendered
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Output
from services.imaging.pool.executor import Executor
from services.imaging.rendering.renders import Renders, Result
from services.imaging.settings import ImagingSettings
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.storage.images import Images
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import NewBlob, Place, path_of
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.storage.spool import Spool
from services.runtime.telemetry.metrics import Metrics
from tests.imaging.animations import animation, moving_square, without_frame
from tests.imaging.pictures import decoded, encoded, quadrants
from tests.processes import until, valkey

# Starting a pool takes a second, and it belongs to an event loop.
pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = encoded(quadrants(), "PNG")


class Bench:
    """The parts of an imaging service that render, and a client for its Redis."""

    def __init__(
        self, redis: RedisClient, executor: Executor, client: Redis, store: str = "redis:"
    ) -> None:
        self.redis, self.executor, self.client = redis, executor, client
        settings, self.metrics = ImagingSettings(slots=1, store=store), Metrics()
        self.storage = make_storage(settings, redis, self.metrics)
        parts = Images(self.storage), Renditions(self.storage)
        self.renders = Renders(executor, *parts, settings)

    def upload(self, data: bytes, *, found: bytes | None = None) -> Blob:
        """Store an image; with `found`, its bytes are these."""
        key = hashlib.sha256(data).hexdigest()
        fields = ("media_type", "image/png", "bytes", len(data), "data", found or data)
        self.ask("HSET", keys.blob("image", key), *fields)
        return Blob(key=key, media_type="image/png", bytes=len(data))

    def rendition(self, rendered: Rendered) -> bytes | None:
        data: bytes | None = self.ask("HGET", keys.blob("rendition", rendered.blob.key), "data")
        return data

    def ask(self, *command: Any) -> Any:
        client: Any = self.client  # redis-py has no types for it
        return client.execute_command(*command)

    async def render(self, request: Render) -> Rendered:
        finished, _ = await self.renders.render(request, timeout=20, lend=nullcontext)
        return finished.rendered

    async def call(self, *requests: Render) -> list[Result]:
        """Return the results of one call to the pool: the first, and others if time is left."""
        return (await self.renders.render_later(requests, timeout=20, on_start=lambda: None))[0]

    async def batch(self, *requests: Render) -> list[Result]:
        """Return all results, with more calls on a machine that is too busy for one."""
        results = await self.call(*requests)
        assert results
        return results + (await self.batch(*rest) if (rest := requests[len(results) :]) else [])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[Executor]:
    executor = Executor(ImagingSettings(slots=1), waiting=10)
    await executor.start()
    yield executor
    await executor.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(server: str, executor: Executor) -> AsyncIterator[Bench]:
    redis = make_redis(ImagingSettings(redis_url=server))
    with Redis.from_url(server) as client:
        yield Bench(redis, executor, client)
        client.flushall()
    await redis.close()


def request_of(
    source: Blob, *operations: Operation, reuse: bool = True, output: Format = Format.PNG
) -> Render:
    pipeline = Pipeline(operations=operations, output=Output(format=output))
    return Render(source=source, pipeline=pipeline, reuse=reuse)


async def test_a_rendition_is_stored_and_used_again_without_the_pool(bench: Bench) -> None:
    source = bench.upload(PICTURE)
    request = request_of(source, Resize(width=5))
    first = await bench.render(request)
    assert first.width == 5
    assert len(bench.rendition(first) or b"") == first.blob.bytes
    calls = bench.executor.processes[0].calls
    again = await bench.render(request)
    assert again == first.model_copy(update={"reused": True})
    assert bench.executor.processes[0].calls == calls
    assert not (await bench.render(request.model_copy(update={"reuse": False}))).reused


async def test_a_result_of_many_bytes_is_whole(bench: Bench) -> None:
    noise = Image.frombytes("RGB", (400, 300), os.urandom(360_000))
    request = request_of(bench.upload(encoded(noise, "PNG")))
    finished, _ = await bench.renders.render(request, timeout=20, lend=nullcontext)
    assert decoded(finished.data).tobytes() == noise.tobytes()


async def test_a_batch_has_a_result_of_each_request_and_renders_equal_ones_once(
    bench: Bench,
) -> None:
    source, broken = bench.upload(PICTURE), bench.upload(b"no image")
    lost = Blob(key="0" * 64, media_type="image/png", bytes=1)
    stored = request_of(source, Resize(width=4))
    await bench.render(stored)
    new = request_of(source, Resize(width=6))
    results = await bench.batch(
        request_of(broken), stored, new, request_of(lost), new, request_of(broken, Resize(width=1))
    )
    codes = [one.code if isinstance(one, ServiceError) else None for one in results]
    unreadable = Code.IMAGE_UNREADABLE
    assert codes == [unreadable, None, None, Code.GONE, None, unreadable]
    assert [one.reused for one in results if isinstance(one, Rendered)] == [True, False, True]


async def test_a_batch_takes_no_more_images_than_a_call_may_have(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.imaging.rendering.renders.MAX_IMAGES", 2)
    sources = [bench.upload(PICTURE + bytes([number])) for number in range(3)]
    assert len(await bench.call(*map(request_of, sources))) <= 2


async def test_a_damaged_copy_of_a_sound_image_is_dropped_and_condemns_nothing(
    bench: Bench,
) -> None:
    source = bench.upload(PICTURE, found=PICTURE[:-1] + b"?")
    stored = await Images(bench.storage).find(source.key)
    assert stored is not None
    images = bench.renders._images
    (await images.open(stored)).close()
    bench.upload(PICTURE)  # from now on the record has the right bytes, unlike this process's copy

    request = request_of(source, Resize(width=9))
    with pytest.raises(Unavailable):
        await bench.render(request)
    assert (await bench.render(request)).width == 9


async def test_a_verdict_is_kept_and_spares_the_pool(bench: Bench) -> None:
    source = bench.upload(without_frame(animation("GIF", moving_square()), 1))
    with pytest.raises(ImageUnreadable) as first:
        await bench.render(request_of(source, output=Format.WEBP))
    calls = bench.executor.processes[0].calls
    with pytest.raises(ImageUnreadable) as again:
        await bench.render(request_of(source, Resize(width=3), output=Format.WEBP))
    assert again.value.detail == first.value.detail
    assert bench.executor.processes[0].calls == calls
    assert (await bench.render(request_of(source, output=Format.JPEG))).width == 64
    inspected, _ = await bench.renders.inspect(
        Inspect(source=source, depth=Depth.PIXELS), timeout=20
    )
    assert inspected.frames == 4


async def test_an_inspection_keeps_its_verdict_too(bench: Bench) -> None:
    request = Inspect(source=bench.upload(b"no image"))
    for _ in range(2):
        with pytest.raises(ImageUnreadable):
            await bench.renders.inspect(request, timeout=20)
    lost = Blob(key="0" * 64, media_type="image/png", bytes=1)
    with pytest.raises(Gone):
        await bench.renders.inspect(Inspect(source=lost), timeout=20)


async def test_a_missing_watermark_is_named_as_the_watermarks(bench: Bench) -> None:
    source, stamp = bench.upload(PICTURE), "1" * 64
    with pytest.raises(NotFound, match=rf"{stamp} that the watermark names .* \(any more\)"):
        await bench.render(request_of(source, Watermark(image=stamp)))


async def test_bytes_that_are_not_those_stored_are_counted_and_not_decoded(bench: Bench) -> None:
    damaged = bench.upload(PICTURE, found=PICTURE[:-1] + b"x")
    source = bench.upload(PICTURE + b"\0")
    with pytest.raises(Gone, match="damaged"):
        await bench.render(request_of(damaged))
    with pytest.raises(NotFound, match="watermark"):
        await bench.render(request_of(source, Watermark(image=damaged.key)))
    assert b'darkroom_corrupt_blobs_total{kind="image"} 1.0' in bench.metrics.text()
    inspected = bench.upload(PICTURE + b"\1", found=PICTURE + b"\2")
    with pytest.raises(Gone, match="damaged"):
        await bench.renders.inspect(Inspect(source=inspected), timeout=20)
    assert b'darkroom_corrupt_blobs_total{kind="image"} 2.0' in bench.metrics.text()
    lost = bench.upload(PICTURE + b"\3", found=PICTURE + b"\4")
    with pytest.raises(NotFound, match="watermark"):
        await bench.render(request_of(source, Watermark(image=lost.key)))


async def test_a_rendition_of_an_image_that_is_deleted_meanwhile_is_gone(bench: Bench) -> None:
    source, other = bench.upload(PICTURE), bench.upload(PICTURE + b"\0")

    class Late(Renditions):
        async def keep(self, new: Sequence[NewBlob], **options: Any) -> set[str]:
            await Purge(bench.storage, longest=60).image(options["project"], source.key)
            return await super().keep(new, **options)

    bench.renders._renditions = Late(bench.storage)
    first, second = await bench.batch(request_of(source), request_of(other))
    assert isinstance(first, Gone)
    assert isinstance(second, Rendered)


async def test_a_rendition_that_does_not_fit_is_store_full_and_a_stored_one_is_used(
    bench: Bench,
) -> None:
    source = bench.upload(encoded(quadrants(40, 30), "PNG"))
    stored, new = request_of(source), request_of(source, Resize(width=7))
    await bench.render(stored)
    bench.client.config_set("maxmemory", "1mb")
    try:
        first, second = await bench.batch(stored, new)
    finally:
        bench.client.config_set("maxmemory", "0")
    assert isinstance(first, Rendered)
    assert isinstance(second, StoreFull)
    await bench.render(new)


async def test_no_file_stays_open(bench: Bench) -> None:
    sources = [bench.upload(PICTURE + bytes([number])) for number in range(8)]
    await bench.batch(*map(request_of, sources))
    before = len(os.listdir("/proc/self/fd"))
    for width in range(3):
        await bench.batch(*(request_of(one, Resize(width=width + 2)) for one in sources))
        task = asyncio.create_task(bench.render(request_of(sources[0], reuse=False)))
        await asyncio.sleep(0.001 * width)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # A process that was killed may be replaced at this moment.
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 4)


async def test_an_image_of_a_folder_is_rendered_from_its_file(
    bench: Bench, executor: Executor, tmp_path: Path
) -> None:
    stored = Bench(bench.redis, executor, bench.client, f"file://{tmp_path / 'store'}")
    assert stored.storage.store is not None
    await stored.storage.store.start()
    spool = await Spool.of(PICTURE, tmp_path)
    source = (await Images(stored.storage).keep(spool, ttl=60, kept=True)).blob
    assert (await stored.render(request_of(source, Resize(width=5)))).width == 5
    _overwrite(tmp_path / "store" / path_of(Place.KEPT, source.key), PICTURE[:-1] + b"x")
    other = bench.upload(PICTURE + b"\0")
    await stored.render(request_of(other))  # the pool process forgets the image
    with pytest.raises(Gone, match="damaged"):
        await stored.render(request_of(source, Resize(width=6)))
    await spool.close()
    await stop_storage(stored.storage)


def _overwrite(file: Path, data: bytes) -> None:
    file.chmod(0o600)
    file.write_bytes(data)

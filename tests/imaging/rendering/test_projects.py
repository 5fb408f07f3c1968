"""Renders of several projects on one worker: none takes images or room of another one."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import NotFound, StoreFull
from contracts.formats import Format
from contracts.imaging import Blob, Render, Rendered
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from services.imaging.pool.executor import CallTimes, Opening
from services.imaging.pool.messages import Made, RenderCall
from services.imaging.rendering.renders import Renders, Result
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import make_redis
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.records import Place
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, stop_storage
from services.runtime.telemetry.metrics import Metrics
from tests.processes import valkey

BOTH = (DEFAULT_PROJECT, "website")
SIZE = 1000  # bytes of each result


class Pool:
    """In place of the pool processes: opens the images of a call, and makes a result of each."""

    async def run_later(
        self, call: RenderCall, opening: Opening, *, timeout: float, on_start: Callable[[], None]
    ) -> tuple[list[Made], CallTimes]:
        async with opening() as descriptors:
            assert len(descriptors) == len(call.images)
        times = dict.fromkeys(("decode_ms", "operations_ms", "encode_ms"), 0.0)
        made = Made(format=Format.PNG, width=1, height=1, size=SIZE, data=bytes(SIZE), **times)
        return [made for _ in call.requests], CallTimes(queue_ms=0, work_ms=0)


class Worker:
    """The parts of a worker that render, and its storage with a folder."""

    def __init__(self, storage: Storage, settings: ImagingSettings) -> None:
        pool: Any = Pool()
        self.images, self.storage = Images(storage), storage
        self._renders = Renders(pool, self.images, Renditions(storage), settings)

    async def upload(self, project: str, data: bytes = b"image") -> Blob:
        return (await self.images.keep_bytes(data, ttl=60, project=project)).blob

    async def render(self, *requests: Render) -> list[Result]:
        """Render for jobs, in one batch."""
        results, _ = await self._renders.render_later(requests, timeout=20, on_start=lambda: None)
        return results


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker whose projects have room for one result each."""
    with valkey() as server:
        settings = ImagingSettings(
            redis_url=str(server.connection_url),
            store=f"file://{tmp_path}",
            hot_bytes=1,
            project_bytes=SIZE + 100,
        )
        redis = make_redis(settings)
        storage = make_storage(settings, redis, Metrics())
        yield Worker(storage, settings)
        await stop_storage(storage)
        await redis.close()


async def test_a_watermark_of_another_project_is_not_there(worker: Worker) -> None:
    own, theirs = [await worker.upload(project) for project in BOTH]
    unknown = own.model_copy(update={"key": "e" * 64})
    said = set()
    for source, watermark in ((own, theirs), (theirs, own), (own, unknown)):
        stamped = Pipeline(operations=(Watermark(image=watermark.key),))
        (failure,) = await worker.render(Render(source=source, pipeline=stamped))
        assert isinstance(failure, NotFound)
        said.add(failure.detail.replace(watermark.key, "ID"))
    assert len(said) == 1


async def test_a_full_project_keeps_no_result_of_another_one_out(worker: Worker) -> None:
    first, second = [Render(source=await worker.upload(project)) for project in BOTH]
    (made,) = await worker.render(first)
    assert isinstance(made, Rendered)

    others = [
        Render(source=await worker.upload(DEFAULT_PROJECT, b"other")),
        second,
    ]
    full, fits = await worker.render(*others)
    assert isinstance(full, StoreFull)
    assert isinstance(fits, Rendered)
    counts = await worker.storage.usage.counts()
    assert [counts[(project, Place.RENDITIONS)].objects for project in BOTH] == [1, 1]

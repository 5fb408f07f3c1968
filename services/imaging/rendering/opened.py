"""Open the images of a call, all at once, and close them after it.

Bytes of small images that are in memory need no file: they are sent with the call.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from services.imaging.pool.executor import Opening
from services.imaging.pool.messages import INSIDE, Content
from services.runtime.storage.files import File
from services.runtime.storage.images import Images
from services.runtime.storage.records import Judged

_opening: set[asyncio.Task[File]] = set()
"""Keeps the tasks: an event loop has weak references alone."""


def is_inside(one: Judged) -> bool:
    """Return whether the bytes of an image are sent with a call, so that nothing is opened."""
    return (
        one.data is not None
        and len(one.data) == one.stored.blob.bytes
        and one.stored.blob.bytes <= INSIDE
        and not one.stored.damaged
    )


def opening_of(images: Images, wanted: Sequence[Judged]) -> Opening:
    """Return a function that opens these images for a call. It raises as `Images.open`."""
    return partial(_opened, images, wanted)


@asynccontextmanager
async def _opened(images: Images, wanted: Sequence[Judged]) -> AsyncIterator[Sequence[Content]]:
    ready: list[File | bytes | None] = []
    tasks: list[asyncio.Task[File]] = []
    try:
        for one in wanted:
            ready.append(images.taken(one) if is_inside(one) else images.opened(one))
        # Tasks of their own, which nobody cancels: a file that is opened for a call that has ended
        # meanwhile has to be closed.
        tasks += [
            asyncio.create_task(images.open(one.stored), name="open-image")
            for one, file in zip(wanted, ready, strict=True)
            if file is None
        ]
        _opening.update(tasks)
        if tasks:
            await asyncio.wait(tasks)
        others = iter(tasks)
        yield [
            one if isinstance(one, bytes) else (one or next(others).result()).descriptor
            for one in ready
        ]
    finally:
        for file in ready:
            if isinstance(file, File):
                file.close()
        for task in tasks:
            task.add_done_callback(_close)


def _close(task: asyncio.Task[File]) -> None:
    _opening.discard(task)
    if task.exception() is None:
        task.result().close()

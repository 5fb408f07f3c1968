"""Read every kept image, and compare its bytes with their digest."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable

from services.runtime.storage.records import Place, blob_at, image_key
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import Missing

_AT_ONCE = 4  # images: each hashes in a thread


async def damaged_images(
    store: AsyncStore, projects: Iterable[str], progress: Callable[[int, int], None]
) -> list[str]:
    """Return the keys of the kept images of some projects whose bytes have another digest.

    `progress` is called with the numbers of images and bytes that were read. Raises as
    `AsyncStore`.
    """
    damaged: list[str] = []

    async def check(path: str, project: str, key: str, size: int) -> None:
        if not await _is_whole(store, path, project, key):
            damaged.append(key)
        progress(1, size)

    for project in projects:
        async for page in store.list(f"{project}/{Place.KEPT}"):
            images = [(one, found[2]) for one in page if (found := blob_at(one.path))]
            for start in range(0, len(images), _AT_ONCE):
                batch = images[start : start + _AT_ONCE]
                await asyncio.gather(
                    *(check(one.path, project, key, one.size) for one, key in batch)
                )
    return damaged


async def _is_whole(store: AsyncStore, path: str, project: str, key: str) -> bool:
    found = hashlib.sha256()
    try:
        async for piece in store.read(path):
            await asyncio.to_thread(found.update, piece)
    except Missing:  # deleted meanwhile
        return True
    return image_key(project, found.hexdigest()) == key

"""Read every kept image, and compare its bytes with their digest."""

import asyncio
import hashlib
from collections.abc import Callable

from contracts.access import DEFAULT_PROJECT
from services.runtime.storage.records import Place, digest_in
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import Missing

_AT_ONCE = 4  # images: each hashes in a thread


async def damaged_images(store: AsyncStore, progress: Callable[[int, int], None]) -> list[str]:
    """Return the keys of the kept images whose bytes have another digest.

    `progress` is called with the numbers of images and bytes that were read. Raises as
    `AsyncStore`.
    """
    damaged: list[str] = []

    async def check(path: str, digest: str, size: int) -> None:
        if not await _has_digest(store, path, digest):
            damaged.append(digest)
        progress(1, size)

    async for page in store.list(f"{DEFAULT_PROJECT}/{Place.KEPT}"):
        images = [(one, found[2]) for one in page if (found := digest_in(one.path))]
        for start in range(0, len(images), _AT_ONCE):
            batch = images[start : start + _AT_ONCE]
            await asyncio.gather(*(check(one.path, digest, one.size) for one, digest in batch))
    return damaged


async def _has_digest(store: AsyncStore, path: str, digest: str) -> bool:
    found = hashlib.sha256()
    try:
        async for piece in store.read(path):
            await asyncio.to_thread(found.update, piece)
    except Missing:  # deleted meanwhile
        return True
    return found.hexdigest() == digest

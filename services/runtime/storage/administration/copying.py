"""Copy a store into another one while services use the first.

Bytes come before the sidecar that describes them, and the marker of the store comes last: services
accept the other store once everything is there. Nothing is changed in the first store.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.runtime.storage.records import Place, blob_at, image_key
from services.runtime.storage.sidecar import LARGEST, described_by
from services.runtime.storage.spool import Spool
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import MARKER, Missing, StoredObject

_AT_ONCE = 16  # objects; each has up to 256 KiB in memory, and the rest in a file
_LARGEST_MARKER = 64 << 10  # bytes


ResultT = TypeVar("ResultT")


@dataclass
class Copied:
    """Numbers of a copy, and the images that it left out."""

    objects: int = 0
    bytes: int = 0
    deleted: int = 0
    """Objects of the other store that were deleted from the first one meanwhile."""
    damaged: list[str] = field(default_factory=list)
    """Paths of images whose bytes have another digest: they are not copied."""
    different: int = 0
    """Objects that are not the same in both stores, without the damaged ones."""


class Copy:
    """Copies what is missing, or differs. Raises what `AsyncStore` and `Spool` raise.

    A copy that was ended in the middle is continued by the next one.
    """

    def __init__(
        self, source: AsyncStore, target: AsyncStore, progress: Callable[[int, int], None]
    ) -> None:
        """`progress` is called with the numbers of objects and bytes that were looked at."""
        self._source = source
        self._target = target
        self._progress = progress

    async def run(self, *, passes: int) -> Copied:
        """Copy again and again until nothing differs, `passes` times at most.

        Raises ValueError if the other store belongs to another Darkroom.
        """
        own, other = await self._marker(self._source), await self._marker(self._target)
        if other is not None and other != own:
            raise ValueError(f"{self._target.address} belongs to another Darkroom.")
        copied = Copied()
        for _ in range(passes):
            copied.damaged.clear()
            copied.different = 0
            await self._copy_all(copied)
            if other is None:
                # No service has used the other store: nothing there is newer.
                copied.deleted += await self._delete_deleted()
            if not copied.different:
                break
        else:
            copied.different = await self._count_different(copied.damaged)
        if not copied.different and own is not None and other is None:
            await self._target.put(MARKER, own)
        return copied

    async def _marker(self, store: AsyncStore) -> bytes | None:
        try:
            pieces = store.read(MARKER, 0, _LARGEST_MARKER)
            return b"".join([piece async for piece in pieces])
        except Missing:
            return None

    async def _copy_all(self, copied: Copied) -> None:
        async for page in self._source.list():
            for group in _groups(page):
                found = await _all(self._copy_if_different(one, copied) for one in group)
                copied.different += sum(found)
                self._progress(len(group), sum(one.size for one in group))

    async def _copy_if_different(self, one: StoredObject, copied: Copied) -> bool:
        """Copy an object, and return whether it differed. A damaged one is noted alone."""
        if described_by(one.path) in copied.damaged or not await self._differs(one):
            return False
        spool = Spool(self._target.scratch)
        try:
            async for piece in self._source.read(one.path):
                await spool.write(piece)
            await spool.finish()
            if _is_damaged(one.path, spool.digest):
                copied.damaged.append(one.path)
                return False
            await self._target.put(one.path, spool.content)
        except Missing:  # deleted meanwhile
            return False
        finally:
            await spool.close()
        copied.objects += 1
        copied.bytes += spool.size
        return True

    async def _differs(self, one: StoredObject) -> bool:
        if await self._target.size(one.path) != one.size:
            return True
        if described_by(one.path) is None:
            return False
        # Another label may have the same length.
        return await _text(self._source, one.path) != await _text(self._target, one.path)

    async def _count_different(self, damaged: Sequence[str]) -> int:
        different, left_out = 0, set(damaged)
        async for page in self._source.list():
            for group in _groups(page):
                wanted = [one for one in group if not {one.path, described_by(one.path)} & left_out]
                different += sum(await _all(self._differs(one) for one in wanted))
        return different

    async def _delete_deleted(self) -> int:
        """Delete from the other store what the first one does not have any more."""
        deleted = 0
        async for page in self._target.list():
            for group in _groups(page):
                sizes = await _all(self._source.size(one.path) for one in group)
                gone = [one.path for one, size in zip(group, sizes, strict=True) if size is None]
                if gone:
                    # Sidecars first: a kept image without one is brought back by nobody.
                    await self._target.delete(sorted(gone, key=lambda path: not described_by(path)))
                deleted += len(gone)
        return deleted


def _groups(page: Sequence[StoredObject]) -> Iterator[Sequence[StoredObject]]:
    """Yield the objects of a page that are blobs or their sidecars, these after the blobs."""
    blobs = [one for one in page if blob_at(one.path)]
    sidecars = [one for one in page if (path := described_by(one.path)) and blob_at(path)]
    for objects in (blobs, sidecars):
        for start in range(0, len(objects), _AT_ONCE):
            yield objects[start : start + _AT_ONCE]


async def _all(calls: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Return the results of calls that run at once. Raises the first failure, after all ended."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _is_damaged(path: str, digest: str) -> bool:
    """Return whether `path` is that of an image whose bytes have another digest."""
    found = blob_at(path)
    if found is None or found[1] is Place.RENDITIONS:
        return False
    project, _, key = found
    return key != image_key(project, digest)


async def _text(store: AsyncStore, path: str) -> bytes | None:
    """Return a sidecar; None if there is none."""
    try:
        return b"".join([piece async for piece in store.read(path, 0, LARGEST)])
    except Missing:
        return None

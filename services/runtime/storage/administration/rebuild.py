"""Make the records of kept images again from the store, after Redis has lost them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from services.runtime.redis import keys
from services.runtime.redis.scripts import load_script
from services.runtime.storage import parts
from services.runtime.storage.blobs import Storage
from services.runtime.storage.hot import member
from services.runtime.storage.records import Kind, Place, blob_at, image_key
from services.runtime.storage.sidecar import (
    Sidecar,
    described_by,
    read_sidecar,
    sidecar_path,
)
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import Missing, StoredObject
from services.runtime.storage.usage import Count

_AT_ONCE = 16  # sidecars that are read at once

_REBUILD = load_script(__package__, "rebuild", PART=parts.PART)


@dataclass
class Rebuilt:
    """Numbers of a rebuild, and what it could not bring back."""

    images: int = 0
    """Records that were written."""
    present: int = 0
    """Images that had a record, or that are being deleted."""
    ended: int = 0
    """Images whose end has come: they are left out."""
    damaged: list[str] = field(default_factory=list)
    """Paths of sidecars that can't be read, or whose bytes are missing or of another size."""


class Rebuild:
    """Rebuilds records from sidecars; services may run meanwhile.

    Each image is one step, which changes nothing where a kept image has a record: a rebuild that
    was ended in the middle is completed by the next one. Raises what `RedisClient` and `AsyncStore`
    raise.
    """

    def __init__(self, storage: Storage, store: AsyncStore) -> None:
        self._redis = storage.redis
        self._usage = storage.usage
        self._store = store

    async def run(self, progress: Callable[[int, int], None]) -> Rebuilt:
        """Look at every object once; calls `progress` with the objects and bytes of each page."""
        rebuilt, counts = Rebuilt(), dict[tuple[str, Place], Count]()
        last: Sequence[StoredObject] = ()
        async for page in self._store.list():
            # The bytes of a sidecar come right before it, maybe on the page before.
            sizes = {one.path: one.size for one in (*last, *page)}
            last = page[-1:]
            for one in page:
                if found := blob_at(one.path):
                    project, place, _ = found
                    count = counts.get((project, place), Count())
                    counts[(project, place)] = count + one.size
            described = [path for one in page if (path := _kept_by(one.path))]
            for start in range(0, len(described), _AT_ONCE):
                batch = described[start : start + _AT_ONCE]
                await asyncio.gather(*(self._rebuild(path, sizes, rebuilt) for path in batch))
            progress(len(page), sum(one.size for one in page))
        await self._usage.reset(counts)
        return rebuilt

    async def _rebuild(self, path: str, sizes: Mapping[str, int], rebuilt: Rebuilt) -> None:
        """Make the record of the bytes at `path`, which have a sidecar."""
        try:
            sidecar = await read_sidecar(self._store, path)
        except Missing:  # deleted meanwhile
            return
        except ValidationError:
            rebuilt.damaged.append(sidecar_path(path))
            return
        size = sizes.get(path)
        if size is None:
            size = await self._store.size(path)
        if size != sidecar.bytes or not _is_of(path, sidecar):
            rebuilt.damaged.append(sidecar_path(path))
        elif sidecar.ends is not None and sidecar.ends <= time.time() * 1000:
            rebuilt.ended += 1
        elif await self._write(path, sidecar):
            rebuilt.images += 1
        else:
            rebuilt.present += 1

    async def _write(self, path: str, sidecar: Sidecar) -> bool:
        key = path.rpartition("/")[2]
        written = await self._redis.script(
            _REBUILD,
            (
                *(keys.blob(Kind.IMAGE, key), keys.purged(key), keys.images_of(sidecar.project)),
                *(keys.STORE_DELETING, keys.HOT, keys.HOT_BYTES),
            ),
            (
                *(key, path, sidecar.bytes, sidecar.media_type, sidecar.created),
                *(sidecar.ends or "", sidecar.label, member(Kind.IMAGE, key)),
                *(sidecar.project, sidecar.digest or ""),
            ),
        )
        return bool(written)


def _kept_by(path: str) -> str | None:
    """Return the path of the kept bytes that the sidecar at `path` describes, or None."""
    described = described_by(path)
    found = blob_at(described) if described else None
    return described if found and found[1] is Place.KEPT else None


def _is_of(path: str, sidecar: Sidecar) -> bool:
    """Return whether a sidecar names the project and the key of the image at `path`."""
    found = blob_at(path)
    if found is None:
        return False
    project, _, key = found
    return sidecar.project == project and image_key(project, sidecar.digest or key) == key

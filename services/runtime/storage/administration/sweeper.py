"""Compare the store with the records: delete bytes that nobody needs, and name what is missing.

Bytes without a record are left by a writer that died before it wrote one, or by a record that has
expired. They are deleted once they are old enough: younger ones may get their record at any moment.
A kept image with a sidecar was promised to a client, so it is never deleted here: if its record is
missing, Redis has lost it, and `darkroom-store rebuild` makes it again.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path

import structlog
from pydantic import ValidationError

from services.runtime.redis import keys
from services.runtime.redis.scripts import load_script
from services.runtime.storage.administration.listed import Listed
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.records import (
    FIELDS,
    Kind,
    Place,
    StoredBlob,
    blob_at,
    stored_from,
)
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.sidecar import described_by, read_sidecar, sidecar_path
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import Missing, StoredObject
from services.runtime.storage.usage import Count

log = structlog.get_logger(__name__)

_DELETION = 30.0  # seconds in which noted bytes are deleted; afterwards a writer may put them again
_LEFT_BEHIND = 60_000  # milliseconds after which another process tries again
_AT_ONCE = 100  # bytes that are deleted in one step: a bucket may take 0.2 s for each
_SCAN = 512  # records that are looked at in one step

_NOTE = load_script(__package__, "orphan", when_full=True)
_RETAKE = load_script(__package__, "retake", when_full=True)


@dataclass
class Names:
    """Number of things, and the first of their names."""

    limit: int | None
    """Names that are kept at most; None for all."""
    number: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one more, and keep its name if there is room."""
        self.number += 1
        if self.limit is None or len(self.first) < self.limit:
            self.first.append(name)


@dataclass
class Findings:
    """The results of a sweep; a dry run has deleted none of them."""

    unrecorded: Names
    """Kept images without a record: `darkroom-store rebuild` brings them back."""
    lost: Names
    """Keys of images and renditions whose bytes are missing."""
    counts: dict[tuple[str, Place], Count] = field(default_factory=dict)
    """Objects and bytes in the store, without those that were deleted."""
    orphans: int = 0
    """Objects that no record needs, and that were old enough."""
    orphan_bytes: int = 0
    unfinished: int = 0
    """Files of this host's scratch folder that their writers have left."""


class Sweeper:
    """Sweeps a store. Raises what `RedisClient` and `AsyncStore` raise."""

    def __init__(self, storage: Storage, store: AsyncStore, *, grace: float) -> None:
        """`grace` is the age in seconds at which bytes without a record are deleted."""
        self._storage = storage
        self._redis = storage.redis
        self._store = store
        self._grace = grace
        self._images, self._renditions = Images(storage), Renditions(storage)

    async def sweep(self, *, dry_run: bool = False, names: int | None = 20) -> Findings:
        """Compare everything once; with `dry_run`, change nothing.

        The findings name the first `names` of what is missing, or all.
        """
        findings = Findings(unrecorded=Names(names), lost=Names(names))
        if dry_run:
            old = partial(_count_unfinished, self._store.scratch, older=self._grace)
            findings.unfinished = await asyncio.to_thread(old)
        else:
            await self.finish_deletions()
            findings.unfinished = await self._store.remove_unfinished(older=self._grace)
        listed = Listed()
        async for page in self._store.list():
            await self._look_at_objects(page, listed, findings, dry_run=dry_run)
        for blobs in (self._images, self._renditions):
            await self._look_for_lost(blobs, listed, findings, dry_run=dry_run)
        if not dry_run:
            await self._storage.usage.reset(findings.counts)
        return findings

    async def finish_deletions(self) -> None:
        """Delete bytes that another process has noted and not deleted."""
        arguments = (_LEFT_BEHIND, _AT_ONCE)
        while left := await self._redis.script(_RETAKE, (keys.STORE_DELETING,), arguments):
            await self._delete([path.decode() for path in left], time.monotonic())

    async def _look_at_objects(
        self, page: Sequence[StoredObject], listed: Listed, findings: Findings, *, dry_run: bool
    ) -> None:
        objects = [(one, found) for one in page if (found := blob_at(one.path))]
        sidecars = {one.path for one in page if described_by(one.path)}
        records = await self._records((place, key) for _, (_, place, key) in objects)
        started, orphans = time.monotonic(), list[StoredObject]()
        for (one, (project, place, key)), record in zip(objects, records, strict=True):
            listed.add(place, key)
            if record is not None and record.place is place:
                if place is Place.KEPT and sidecar_path(one.path) not in sidecars and not dry_run:
                    await self._write_missing_sidecar(one.path, record)
            # With a record of another place, too: Redis has lost the first, and the same bytes came
            # with a render.
            elif (
                place is Place.KEPT
                and (end := await self._promised_end(one.path)) > time.time() - self._grace
            ):
                if end > time.time():
                    findings.unrecorded.add(key)
            elif time.time() - one.modified > self._grace and (
                dry_run or await self._note(one.path, place, key)
            ):
                orphans.append(one)
                continue
            count = findings.counts.get((project, place), Count())
            findings.counts[(project, place)] = count + one.size
        findings.orphans += len(orphans)
        findings.orphan_bytes += sum(one.size for one in orphans)
        if not dry_run:
            await self._delete([one.path for one in orphans], started)

    async def _records(self, wanted: Iterable[tuple[Place, str]]) -> list[StoredBlob | None]:
        asked = [(_kind_of(place), key) for place, key in wanted]
        rows = await self._redis.pipeline(
            ("HMGET", keys.blob(kind, key), *FIELDS) for kind, key in asked
        )
        return [stored_from(kind, key, row) for (kind, key), row in zip(asked, rows, strict=True)]

    async def _note(self, path: str, place: Place, key: str) -> bool:
        names = (keys.blob(_kind_of(place), key), keys.STORE_DELETING)
        return bool(await self._redis.script(_NOTE, names, (path, place)))

    async def _delete(self, paths: Sequence[str], noted: float) -> None:
        """Delete bytes that were noted at `noted`, as many as there is time for.

        Another process deletes the others; after it, a writer may put the same bytes again.
        """
        for start in range(0, len(paths), _AT_ONCE):
            if time.monotonic() - noted > _DELETION:
                return
            some = paths[start : start + _AT_ONCE]
            kept = [path for path in some if (found := blob_at(path)) and found[1] is Place.KEPT]
            await self._store.delete([*map(sidecar_path, kept), *some])
            await self._redis.execute("ZREM", keys.STORE_DELETING, *some)

    async def _promised_end(self, path: str) -> float:
        """Return the moment until which a kept image with a sidecar was promised to a client.

        That is infinity for an image without an end, and 0 for one that was purged or has no
        sidecar. The sidecar is written after the record and deleted first, so such an image had a
        record. One that can't be read is a promise without an end: it is damaged, or newer.
        """
        if await self._redis.execute("ZSCORE", keys.STORE_DELETING, path) is not None:
            return 0
        try:
            ends = (await read_sidecar(self._store, path)).ends
        except Missing:
            return 0
        except ValidationError:
            return inf
        return inf if ends is None else ends / 1000

    async def _write_missing_sidecar(self, path: str, record: StoredBlob) -> None:
        if await self._store.size(sidecar_path(path)) is None:
            await self._images.write_sidecar(record)

    async def _look_for_lost(
        self, blobs: Images | Renditions, listed: Listed, findings: Findings, *, dry_run: bool
    ) -> None:
        """Find records whose bytes are not in the store.

        Asks the store for those alone that were not listed: they may be newer than the list.
        """
        place = Place.RENDITIONS if blobs.kind is Kind.RENDITION else Place.KEPT
        cursor, pattern = b"0", keys.blob(blobs.kind, "?" * 64)
        while True:
            cursor, names = await self._redis.execute(
                "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN
            )
            found = [name.decode().rpartition(":")[2] for name in names]
            records = await self._records((place, key) for key in found)
            for key, record in zip(found, records, strict=True):
                if record is None or record.place is None or listed.has(record.place, key):
                    continue
                if await self._is_lost(blobs, key):
                    findings.lost.add(key)
                    if not dry_run and (stored := await blobs.find(key)):
                        await blobs.report_damaged(stored, "its bytes are missing")
            if cursor in (b"0", 0):
                return

    async def _is_lost(self, blobs: Images | Renditions, key: str) -> bool:
        """Return whether the bytes are missing, at a moment when nobody moves them."""
        for _ in range(2):
            stored = await blobs.find(key)
            if stored is None or stored.place is None or stored.damaged:
                return False
            if await self._store.size(stored.path) is not None:
                return False
        return True


def _count_unfinished(scratch: Path, *, older: float) -> int:
    """Return how many files `remove_unfinished` would remove."""
    found = 0
    for file in scratch.iterdir():
        with suppress(FileNotFoundError):
            found += time.time() - file.stat().st_mtime > older
    return found


def _kind_of(place: Place) -> Kind:
    return Kind.RENDITION if place is Place.RENDITIONS else Kind.IMAGE

"""Images: originals that clients have sent, under the digests of their bytes.

An image is either *kept* until it is deleted or its own end has come, or *passing*: it came with a
render or a job and expires. Bytes are stored first, then the record; a kept image has a sidecar
beside its bytes, from which its record can be made again.
"""

import asyncio
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Unavailable
from contracts.formats import format_of_bytes
from contracts.imaging import Blob
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import load_script
from services.runtime.storage import parts
from services.runtime.storage.blobs import Storage, life_of
from services.runtime.storage.hot import member
from services.runtime.storage.opened_images import OpenedImages
from services.runtime.storage.records import (
    DAMAGED,
    FIELDS,
    MEDIA_TYPE,
    NOTE,
    SMALL,
    VERDICT,
    Judged,
    Place,
    StoredBlob,
    fields_of,
    image_key,
    path_of,
    stored_from,
)
from services.runtime.storage.sidecar import write_sidecar
from services.runtime.storage.spool import Spool

_UNKNOWN = "application/octet-stream"
_UNFINISHED_TTL = 60  # seconds from one part to the next: of a blob whose writer has died
_DELETION = 0.2  # seconds until a deletion under way is asked for again
_LONGEST_DELETION = 5.0  # seconds that an upload waits for one

_WRITE = load_script(__package__, "image", PART=parts.PART)
_EXTENDED, _DAMAGED_WHERE_KEPT, _DELETED_NOW = 1, 2, -1  # what it returns
_SET = load_script(__package__, "set", when_full=True)


@dataclass(frozen=True)
class _New:
    """A body, and the image that it becomes."""

    spool: Spool
    project: str
    key: str
    no_store: bool

    def path(self, place: Place) -> str:
        return path_of(place, self.key, self.project)


class Images(OpenedImages):
    """The images of all projects, by keys that no two of them share. Raises as `Blobs`."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._scratch = storage.scratch

    async def keep(
        self,
        spool: Spool,
        *,
        ttl: int,
        project: str = DEFAULT_PROJECT,
        kept: bool = False,
        durable: bool = True,
        no_store: bool = False,
    ) -> StoredBlob:
        """Store a body in a project for `ttl` seconds at least, unless its bytes are there already.

        With `kept`, store it where `KeptImages` can keep it for longer. With `durable`, the
        bytes outlast a loss of power. The media type is the one that the first bytes announce:
        nobody has read the others yet. With `no_store`, caches may not keep it, unless it is there
        already and they may, or until it is stored without that. Raises StoreFull.
        """
        new = _New(spool, project, image_key(project, spool.digest), no_store)
        place = (Place.KEPT if kept else Place.PASSING) if self._store else None
        hot = not kept and self._hot.takes(spool.size)
        # The script that would look for a small image writes it as well.
        at_once = spool.size <= SMALL and (hot or place is None) and not self._usage.limited
        outcome, stored = await self._write_first(
            new, None if at_once else place, ttl, writes=at_once, hot=hot
        )
        if outcome != _EXTENDED:
            if outcome == _DAMAGED_WHERE_KEPT:
                place, hot, durable = Place.KEPT, False, True
            there = None if hot else place
            async with self._usage.room(spool.size, project):
                await self._store_bytes(new, there, durable=durable)
                outcome, stored = await self._write(new, there, ttl, writes=True, hot=hot)
                if outcome != _EXTENDED:
                    raise _being_deleted()
                if there is not None:
                    await self._check_bytes(new.path(there), new.key)
        assert stored is not None
        assert stored.project == project
        return stored

    async def keep_bytes(
        self, data: bytes, *, ttl: int, project: str = DEFAULT_PROJECT
    ) -> StoredBlob:
        """Store bytes that are in memory already, as `keep` does."""
        spool = await Spool.of(data, self._scratch)
        try:
            return await self.keep(spool, ttl=ttl, project=project)
        finally:
            await spool.close()

    async def _write_first(
        self, new: _New, place: Place | None, ttl: int, *, writes: bool, hot: bool
    ) -> tuple[int, StoredBlob | None]:
        """Extend the life of an image that is there, or write it with `writes`; as `_write`.

        Waits for the end of a deletion of the same bytes. Raises Unavailable.
        """
        until = time.monotonic() + _LONGEST_DELETION
        while True:
            written = await self._write(new, place, ttl, writes=writes, hot=writes and hot)
            if written[0] != _DELETED_NOW:
                return written
            if time.monotonic() > until:
                raise _being_deleted()
            await asyncio.sleep(_DELETION)

    async def _store_bytes(self, new: _New, place: Place | None, *, durable: bool) -> None:
        """Put bytes into the store, or into the record if they are too many for one command."""
        if place is not None:
            assert self._store is not None
            await self._store.put(new.path(place), new.spool.content, durable=durable)
        elif new.spool.size > SMALL:
            name = keys.blob(self.kind, new.key)
            # A part is copied for its command, and the copy lives until Redis has answered.
            at_once = parts.AT_ONCE if isinstance(new.spool.content, bytes) else 1
            commands: list[Command] = []
            number = 0
            async for part in new.spool.pieces(parts.PART):
                commands += [
                    ("HSET", name, parts.field(number), part),
                    ("EXPIRE", name, _UNFINISHED_TTL, "NX"),
                    ("EXPIRE", name, _UNFINISHED_TTL, "GT"),
                ]
                number += 1
                if number % at_once == 0:
                    await self._redis.bulk.pipeline(commands)
                    commands = []
            await self._redis.bulk.pipeline(commands)

    async def _check_bytes(self, path: str, key: str) -> None:
        """Raise Unavailable if the bytes of a new record are not there.

        A deletion of older bytes of the image began after they were put, and has ended since.
        """
        assert self._store is not None
        if await self._store.size(path) is None:
            await self._redis.script(_SET, (keys.blob(self.kind, key),), (DAMAGED, 1))
            raise _being_deleted()

    async def _write(
        self, new: _New, place: Place | None, ttl: int, *, writes: bool, hot: bool
    ) -> tuple[int, StoredBlob | None]:
        """Run the script; return its outcome, and the image if it was written or extended."""
        spool, key = new.spool, new.key
        format = format_of_bytes(spool.head)
        inside = writes and place is None and spool.size <= SMALL
        arguments: list[str | int | bytes] = [
            new.path(Place.KEPT),
            new.path(Place.PASSING),
            place or "",
            ttl,
            int(writes),
            member(self.kind, key) if hot or place else "",
            spool.size,
            format.spec.media_type if format else _UNKNOWN,
            int(time.time() * 1000),
            new.project,
            "" if key == spool.digest else spool.digest,
            "1" if new.no_store else "",
        ]
        if inside:
            content = spool.content
            assert isinstance(content, bytes)
            arguments.append(content)
        connection = self._connection(spool.size if inside else 0)
        outcome, *written = await connection.script(
            _WRITE,
            (
                *(keys.blob(self.kind, key), keys.purged(key), keys.STORE_DELETING),
                *(keys.HOT, keys.HOT_BYTES, keys.STORE_USAGE),
            ),
            arguments,
        )
        if not written:
            return int(outcome), None
        hot_bytes, row, left = written
        if hot_bytes:
            self._hot.observe(hot_bytes)
        return int(outcome), stored_from(self.kind, key, row, life=life_of(left))

    async def write_sidecar(self, stored: StoredBlob) -> None:
        """Write what the record says beside the bytes of a kept image."""
        if self._store is None or stored.place is not Place.KEPT:
            return
        await write_sidecar(self._redis, self._store, stored.blob.key, stored.project)

    async def describe(
        self, blob: Blob, media_type: str, note: Message, details: Message | None, *, ttl: int
    ) -> Blob:
        """Write the media type and the note of a blob, and return its description.

        `details` are kept for `ttl` seconds. Nothing is written where the blob has expired.
        """
        name = keys.blob(self.kind, blob.key)
        fields = fields_of({MEDIA_TYPE: media_type, NOTE: note.model_dump_json()})
        await self._redis.script(_SET, (name,), fields)
        if details is not None:
            text = details.model_dump_json()
            await self._redis.execute("SET", keys.details_of(blob.key), text, "EX", ttl)
        return blob.model_copy(update={"media_type": media_type})

    async def details(self, key: str) -> bytes | None:
        """Return what `describe` has written of an image as `details`, if it is there still."""
        text: bytes | None = await self._redis.execute("GET", keys.details_of(key))
        return text

    async def look(
        self, wanted: Sequence[str], *, capability: str, along: Container[str] = ()
    ) -> list[Judged | None]:
        """Return each image with the verdict that decoders of this capability have stored.

        The bytes of images in `along`, which should be small, come along if they lie in Redis and
        not in a file of this process: this saves the trip that `open` makes.
        """
        fields, number = (*FIELDS, _verdict_field(capability)), len(FIELDS)
        missing = [key in along and key not in self._memory for key in wanted]
        rows = await self._redis.pipeline(
            ("HMGET", keys.blob(self.kind, key), *fields, *([parts.field(0)] if bytes_too else ()))
            for key, bytes_too in zip(wanted, missing, strict=True)
        )
        return [
            Judged(stored, *row[number:])
            if (stored := stored_from(self.kind, key, row[:number]))
            else None
            for key, row in zip(wanted, rows, strict=True)
        ]

    async def judge(self, key: str, verdict: Message, *, capability: str) -> None:
        """Store the verdict of decoders about an image, for the image's life."""
        name = keys.blob(self.kind, key)
        fields = (_verdict_field(capability), verdict.model_dump_json())
        await self._redis.script(_SET, (name,), fields)


def _being_deleted() -> Unavailable:
    return Unavailable("The same image is being deleted; try again soon.", retry_after=5)


def _verdict_field(capability: str) -> str:
    return f"{VERDICT}{capability}"

"""Images: originals that clients have sent, under the digests of their bytes.

An image is either *kept* until it is deleted or its own end has come, or *passing*: it came with a
render or a job and expires. Bytes are stored first, then the record; a kept image has a sidecar
beside its bytes, from which its record can be made again.
"""

import asyncio
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass

from contracts.access import DEFAULT_PROJECT
from contracts.errors import Gone, Unavailable
from contracts.formats import format_of_bytes
from contracts.imaging import Blob
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.scripts import load_script
from services.runtime.storage import parts
from services.runtime.storage.blobs import Blobs, Storage
from services.runtime.storage.files import File, OpenFiles, file_of, file_of_pieces
from services.runtime.storage.hot import member
from services.runtime.storage.records import (
    DAMAGED,
    FIELDS,
    MEDIA_TYPE,
    NOTE,
    SMALL,
    Judged,
    Kind,
    Place,
    StoredBlob,
    fields_of,
    image_key,
    path_of,
    stored_from,
)
from services.runtime.storage.sidecar import write_sidecar
from services.runtime.storage.spool import Spool
from services.runtime.storage.stores.store import Missing

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

    def path(self, place: Place) -> str:
        return path_of(place, self.key, self.project)


class Images(Blobs):
    """The images of all projects, by keys that no two of them share. Raises as `Blobs`."""

    kind = Kind.IMAGE

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._scratch = storage.scratch
        self._memory = OpenFiles.in_memory()
        self._files = OpenFiles.of_store()

    async def keep(
        self,
        spool: Spool,
        *,
        ttl: int,
        project: str = DEFAULT_PROJECT,
        kept: bool = False,
        durable: bool = True,
    ) -> StoredBlob:
        """Store a body in a project for `ttl` seconds at least, unless its bytes are there already.

        With `kept`, store it where `KeptImages` can keep it for longer. With `durable`, the
        bytes outlast a loss of power. The media type is the one that the first bytes announce:
        nobody has read the others yet. Raises StoreFull.
        """
        new = _New(spool, project, image_key(project, spool.digest))
        place = (Place.KEPT if kept else Place.PASSING) if self._store else None
        outcome = await self._extend(new, place, ttl)
        if outcome != _EXTENDED:
            if outcome == _DAMAGED_WHERE_KEPT:
                place, kept, durable = Place.KEPT, True, True
            hot = not kept and self._hot.takes(spool.size)
            there = None if hot else place
            async with self._usage.room(spool.size, project):
                await self._store_bytes(new, there, durable=durable)
                if await self._write(new, there, ttl, writes=True, hot=hot) != _EXTENDED:
                    raise _being_deleted()
                if there is not None:
                    await self._check_bytes(new.path(there), new.key)
        stored = await self.find_in(project, new.key)
        if stored is None:
            raise Gone("The image was deleted while it was uploaded.")
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

    async def _extend(self, new: _New, place: Place | None, ttl: int) -> int:
        """Extend the life of an image that is there; return the outcome of the script.

        Waits for the end of a deletion of the same bytes. Raises Unavailable.
        """
        until = time.monotonic() + _LONGEST_DELETION
        while (outcome := await self._write(new, place, ttl, writes=False)) == _DELETED_NOW:
            if time.monotonic() > until:
                raise _being_deleted()
            await asyncio.sleep(_DELETION)
        return outcome

    async def _store_bytes(self, new: _New, place: Place | None, *, durable: bool) -> None:
        """Put bytes into the store, or into the record if they are too many for one command."""
        if place is not None:
            assert self._store is not None
            await self._store.put(new.path(place), new.spool.content, durable=durable)
        elif new.spool.size > SMALL:
            name = keys.blob(self.kind, new.key)
            number = 0
            async for part in new.spool.pieces(parts.PART):
                # One by one: a part is copied for its command, and the copy lives until Redis
                # has answered.
                await self._redis.bulk.pipeline(
                    [
                        ("HSET", name, parts.field(number), part),
                        ("EXPIRE", name, _UNFINISHED_TTL, "NX"),
                        ("EXPIRE", name, _UNFINISHED_TTL, "GT"),
                    ]
                )
                number += 1

    async def _check_bytes(self, path: str, key: str) -> None:
        """Raise Unavailable if the bytes of a new record are not there.

        A deletion of older bytes of the image began after they were put, and has ended since.
        """
        assert self._store is not None
        if await self._store.size(path) is None:
            await self._redis.script(_SET, (keys.blob(self.kind, key),), (DAMAGED, 1))
            raise _being_deleted()

    async def _write(
        self, new: _New, place: Place | None, ttl: int, *, writes: bool, hot: bool = False
    ) -> int:
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
        ]
        if inside:
            content = spool.content
            assert isinstance(content, bytes)
            arguments.append(content)
        connection = self._connection(spool.size if inside else 0)
        outcome = await connection.script(
            _WRITE,
            (
                *(keys.blob(self.kind, key), keys.purged(key), keys.STORE_DELETING),
                *(keys.HOT, keys.HOT_BYTES, keys.STORE_USAGE),
            ),
            arguments,
        )
        if hot and outcome == _EXTENDED:
            self._hot.observe(await self._hot.size())
        return int(outcome)

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

    def opened(self, judged: Judged) -> File | None:
        """Return a file as `open` does, at once: of an image whose bytes are in this process."""
        stored = judged.stored
        if stored.damaged:
            return None
        if stored.place is not None and self._store is not None:
            return self._files.find(stored.blob.key)
        file = self._memory.find(stored.blob.key)
        if file is None and judged.data is not None and len(judged.data) == stored.blob.bytes:
            self._moves.offer(stored)
            file = file_of(judged.data, digest=stored.digest)
            self._memory.add(stored.blob.key, file)
        return file

    async def open(self, stored: StoredBlob) -> File:
        """Open a file with the bytes of an image: of the store, or of its own in memory.

        Nobody has compared the bytes with the digest yet. Raises Gone.
        """
        if stored.damaged:
            raise Gone("The stored bytes of this image are damaged; upload it again.")
        for again in (True, False):
            try:
                return await self._open(stored)
            except Missing as exc:
                found = await self.find(stored.blob.key)
                if found is None:
                    break
                if not again:
                    await self.report_damaged(found, "its bytes are missing")
                    raise Gone("The store has lost this image; upload it again.") from exc
                stored = found  # its bytes are elsewhere meanwhile
        raise Gone(f"The image {stored.blob.key} is not here any more; upload it again.")

    async def _open(self, stored: StoredBlob) -> File:
        blob = stored.blob
        if stored.place is not None and self._store is not None:
            descriptor = await self._store.open(stored.path)
            return self._files.add(blob.key, File(descriptor, blob.bytes, stored.digest))
        self._moves.offer(stored)
        *_, part = await self._record_and_part(blob)
        pieces = self._parts(stored, part, 0, blob.bytes)
        file = await file_of_pieces(pieces, size=blob.bytes, digest=stored.digest)
        return self._memory.add(blob.key, file)

    async def report_damaged(self, stored: StoredBlob, reason: str) -> bool:
        """Report an image as `Blobs` does, and forget its bytes."""
        self._memory.forget(stored.blob.key)
        self._files.forget(stored.blob.key)
        return await super().report_damaged(stored, reason)


def _being_deleted() -> Unavailable:
    return Unavailable("The same image is being deleted; try again soon.", retry_after=5)


def _verdict_field(capability: str) -> str:
    return f"verdict:{capability}"

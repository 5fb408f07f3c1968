"""Image bytes, kept out of messages: store them here and send the claim check.

A blob is a Redis hash: its bytes in parts, its media type and size and, for an image, a note and
verdicts of the decoders. It expires when its time to live is over. The gateway uses an event loop
and a pool process has none, so there are two classes for one layout. Clients' images and workers'
renditions have names of their own.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, cast

from contracts.errors import Gone
from contracts.formats import format_of_bytes
from contracts.imaging import Blob
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.replies import FULL
from services.runtime.storage import parts
from services.runtime.storage.lives import expiring, extending, indexing
from services.runtime.storage.parts import PART, Parts
from services.runtime.storage.spool import HEAD, Spool

_UNKNOWN = "application/octet-stream"
_MEDIA_TYPE, _SIZE, _NOTE = b"media_type", b"bytes", b"note"
_UNFINISHED_TTL = 60  # seconds from one part to the next: of a blob whose writer has died


class Kind(StrEnum):
    """The two kinds of blobs."""

    IMAGE = "image"
    RENDITION = "rendition"


@dataclass(frozen=True)
class NewBlob:
    """A rendition to be stored: its description, its bytes, and a note that is kept beside them.

    `images` are the keys of the images it is made from: it is purged with any of them.
    """

    blob: Blob
    data: bytes
    note: Message | None = None
    images: Sequence[str] = ()


@dataclass(frozen=True)
class StoredBlob:
    """A blob that is there, and its note as JSON (empty without one)."""

    blob: Blob
    note: bytes = b""


@dataclass(frozen=True)
class Judged:
    """An image: its bytes if they were asked for and are one part, and the verdict about it."""

    data: bytes | None
    verdict: bytes | None


def _setting(name: str, fields: Mapping[bytes, Any]) -> Command:
    return "HSET", name, *chain.from_iterable(fields.items())


def _record(size: int, media_type: str, note: Message | None = None) -> dict[bytes, Any]:
    """The fields of a blob beside its parts."""
    fields: dict[bytes, Any] = {_MEDIA_TYPE: media_type, _SIZE: size}
    return fields if note is None else {**fields, _NOTE: note.model_dump_json()}


def _stored(key: str, row: Mapping[bytes, bytes | None]) -> StoredBlob | None:
    media_type, size = row[_MEDIA_TYPE], row[_SIZE]
    if media_type is None or size is None:
        return None
    blob = Blob(key=key, media_type=media_type.decode(), bytes=int(size))
    return StoredBlob(blob, row[_NOTE] or b"")


def _whole(size: bytes | None = None, part: bytes | None = None) -> bytes | None:
    """Return a blob's first part if it is the only one."""
    return part if part is not None and size is not None and len(part) == int(size) else None


_ORPHAN_TTL = 60  # seconds

_ABOUT = [_MEDIA_TYPE, _SIZE, _NOTE]

SMALL = PART
"""Bytes up to which a blob has one part, and shares the connection of small commands."""


class Blobs:
    """Blobs of one kind, for an event loop. Raises what `RedisClient` raises."""

    def __init__(self, redis: RedisClient, kind: Kind) -> None:
        self._redis = redis
        self._kind = kind

    async def put(self, body: Parts | Spool, media_type: str, *, key: str, ttl: int) -> Blob:
        """Store bytes for `ttl` seconds at least, and return their description.

        The record is written with the last part, so nobody finds half of a blob.
        """
        name, connection = keys.blob(self._kind, key), self._connection(body.size)
        last: dict[bytes, Any] = {}
        number = 0
        async for part in body.pieces(PART):
            if last:
                # One by one: a part is copied for its command, and the copy lives until Redis
                # has answered.
                await connection.pipeline([_setting(name, last), *expiring(name, _UNFINISHED_TTL)])
            last = {parts.field(number): part}
            number += 1
        whole = _setting(name, last | _record(body.size, media_type))
        # An image that is uploaded again is deleted no more.
        anew = [("UNLINK", keys.purged(key))] if self._kind is Kind.IMAGE else []
        await connection.transaction([whole, *expiring(name, ttl), *anew])
        return Blob(key=key, media_type=media_type, bytes=body.size)

    async def get(self, blob: Blob) -> bytes | None:
        """Return all bytes, or None when the blob was never stored or has expired."""
        try:
            return b"".join([part async for part in self.read(blob)])
        except Gone:
            return None

    async def read(
        self, blob: Blob, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to `stop`, part by part; each is fetched when it is asked.

        Raises Gone when the blob was never stored or has expired, maybe between two parts.
        """
        stop = blob.bytes if stop is None else stop
        part: bytes | None = await self._part(blob, 0)
        # A blob of an older version has one part, however large it is.
        size = len(part or b"") or PART
        for number in range(start // size, -(-stop // size)):
            if number:
                part = None  # not while the next one arrives
                part = await self._part(blob, number)
            if part is None:
                raise Gone("The result has expired; ask for it again.")
            yield part[max(0, start - number * size) : stop - number * size]

    async def _part(self, blob: Blob, number: int) -> bytes | None:
        name, field = keys.blob(self._kind, blob.key), parts.field(number)
        return cast(bytes | None, await self._connection(blob.bytes).execute("HGET", name, field))

    async def find(
        self, key: str, *, ttl: int | None = None, images: Sequence[str] = ()
    ) -> StoredBlob | None:
        """Return a blob without its bytes, or None; with `ttl`, keep it for so long at least.

        `images` are those that a rendition is made from.
        """
        name = keys.blob(self._kind, key)
        commands: list[Command] = [("HMGET", name, *_ABOUT)]
        if ttl is not None:
            commands.append(("EXPIRE", name, ttl, "GT"))
        row, *_ = await self._redis.pipeline(commands)
        stored = _stored(key, dict(zip(_ABOUT, row, strict=True)))
        if stored and images and ttl is not None:
            # A full store refuses these commands, and still has the rendition.
            with suppress(*FULL):
                await self._redis.pipeline(extending(key, images, ttl))
        return stored

    async def keep(self, data: bytes | Spool, *, ttl: int) -> StoredBlob:
        """Store bytes under their digest for `ttl` seconds at least; send only unknown bytes.

        The media type is the one that the first bytes announce: nobody has read the others yet.
        """
        body = data if isinstance(data, Spool) else Parts.of(data)
        key = body.digest
        if stored := await self.find(key, ttl=ttl):
            return stored
        format = format_of_bytes(data.head if isinstance(data, Spool) else data[:HEAD])
        media_type = format.spec.media_type if format else _UNKNOWN
        return StoredBlob(await self.put(body, media_type, key=key, ttl=ttl))

    async def describe(self, blob: Blob, media_type: str, note: Message, *, ttl: int) -> Blob:
        """Write the media type and the note of a blob, and return its description.

        Where the blob has expired meanwhile, what is written expires after `ttl` seconds.
        """
        name = keys.blob(self._kind, blob.key)
        fields = (_MEDIA_TYPE, media_type, _NOTE, note.model_dump_json())
        await self._redis.transaction([("HSET", name, *fields), ("EXPIRE", name, ttl, "NX")])
        return blob.model_copy(update={"media_type": media_type})

    def _connection(self, size: int) -> Multiplexer | RedisClient:
        """Choose where bytes travel: large values would hold up small commands."""
        return self._redis.bulk if size > SMALL else self._redis


class BlockingBlobs:
    """Blobs of both kinds, for a process without an event loop. Each method is one round trip.

    Raises what `BlockingConnection` raises.
    """

    def __init__(self, redis: BlockingConnection) -> None:
        self._redis = redis

    def look(
        self,
        renditions: Mapping[str, Sequence[str]],
        images: Mapping[str, bool],
        *,
        capability: str,
        ttl: int,
    ) -> tuple[list[StoredBlob | None], list[Judged]]:
        """Return each rendition without its bytes, and each image with its verdict.

        `renditions` has the images that each of them is made from. Renditions that are there are
        kept for `ttl` seconds at least. The bytes of an image are returned if its key has True. The
        verdict is what decoders of this `capability` stored by `judge`.
        """
        names = [keys.blob(Kind.RENDITION, key) for key in renditions]
        commands: list[Command] = [("HMGET", name, *_ABOUT) for name in names]
        commands += [("EXPIRE", name, ttl, "GT") for name in names]
        fields = (_verdict_field(capability), _SIZE, parts.field(0))
        commands += [
            ("HMGET", keys.blob(Kind.IMAGE, key), *(fields if wanted else fields[:1]))
            for key, wanted in images.items()
        ]
        replies = self._redis.pipeline(commands)
        found = [
            _stored(key, dict(zip(_ABOUT, row, strict=True)))
            for key, row in zip(renditions, replies, strict=False)
        ]
        reused = [one.blob.key for one in found if one is not None]
        extensions = chain.from_iterable(extending(key, renditions[key], ttl) for key in reused)
        if reused:
            # A full store refuses these commands, and still has the renditions.
            with suppress(*FULL):
                self._redis.pipeline(list(extensions))
        rows = replies[2 * len(names) :]
        return found, [Judged(_whole(*data), verdict) for verdict, *data in rows]

    def image(self, key: str) -> bytes | None:
        """Return an image's bytes, or None when it was never stored or has expired."""
        [fields] = self._redis.pipeline([("HGETALL", keys.blob(Kind.IMAGE, key))])
        return parts.joined(fields, int(fields[_SIZE])) if _SIZE in fields else None

    def keep(self, renditions: Sequence[NewBlob], *, ttl: int) -> set[str]:
        """Store all renditions for `ttl` seconds at least, in one step.

        Returns the keys of those that are not kept: an image they are made from was deleted
        meanwhile.
        """
        commands: list[Command] = []
        for one in renditions:
            name = keys.blob(Kind.RENDITION, one.blob.key)
            *others, last = (
                {parts.field(number): part} for number, part in enumerate(parts.split(one.data))
            )
            whole = last | _record(len(one.data), one.blob.media_type, one.note)
            commands += [_setting(name, fields) for fields in (*others, whole)]
            commands += expiring(name, ttl)
            commands += indexing(one.blob.key, one.images, ttl)
        if not commands:
            return set()
        made_from = [(one.blob.key, image) for one in renditions for image in one.images]
        commands += [("EXISTS", keys.purged(image)) for _, image in made_from]
        # After the renditions are in the index: of a purge that comes later, they are a part.
        purged = self._redis.transaction(commands)[len(commands) - len(made_from) :]
        late = {key for (key, _), gone in zip(made_from, purged, strict=True) if gone}
        if late:
            # No UNLINK: the user of pool processes may delete nothing.
            self._redis.pipeline([("EXPIRE", keys.blob(Kind.RENDITION, key), 0) for key in late])
        return late

    def judge(self, key: str, verdict: Message, *, capability: str) -> None:
        """Store the verdict of decoders about an image, for the image's life.

        Where the image has expired meanwhile, the verdict expires after a minute.
        """
        name, field = keys.blob(Kind.IMAGE, key), _verdict_field(capability)
        # No script: the user of pool processes may run none.
        self._redis.transaction(
            [("HSET", name, field, verdict.model_dump_json()), ("EXPIRE", name, _ORPHAN_TTL, "NX")]
        )


def _verdict_field(capability: str) -> str:
    return f"verdict:{capability}"

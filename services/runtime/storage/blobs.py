"""Image bytes, kept out of messages: store them here and send the claim check.

A blob is a Redis hash: its bytes, its media type and, for an image, a note of the decoder's. It
expires when its time to live is over. The gateway uses an event loop and a pool process has none,
so there are two classes for one layout. Clients' images and workers' renditions have names of
their own.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, cast

from contracts.imaging import Blob
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.multiplexer import Multiplexer

_UNKNOWN = "application/octet-stream"
_DATA, _MEDIA_TYPE, _SIZE, _NOTE = b"data", b"media_type", b"bytes", b"note"


class Kind(StrEnum):
    """The two kinds of blobs."""

    IMAGE = "image"
    RENDITION = "rendition"


@dataclass(frozen=True)
class NewBlob:
    """A blob to be stored: its description, its bytes, and a note that is kept beside them."""

    blob: Blob
    data: bytes
    note: Message | None = None


@dataclass(frozen=True)
class StoredBlob:
    """A blob that is there, and its note as JSON (empty without one)."""

    blob: Blob
    note: bytes = b""


def digest(data: bytes) -> str:
    """Return the key of a content-addressed blob: SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _storing(
    name: str, data: bytes, media_type: str, note: Message | None, ttl: int
) -> list[Command]:
    """The commands that store a blob; a life that is longer than `ttl` already is not shortened."""
    fields: dict[Any, Any] = {_DATA: data, _MEDIA_TYPE: media_type, _SIZE: len(data)}
    if note is not None:
        fields[_NOTE] = note.model_dump_json()
    return [
        ("HSET", name, *chain.from_iterable(fields.items())),
        ("EXPIRE", name, ttl, "NX"),
        ("EXPIRE", name, ttl, "GT"),
    ]


def _stored(key: str, row: Mapping[bytes, bytes | None]) -> StoredBlob | None:
    media_type, size = row[_MEDIA_TYPE], row[_SIZE]
    if media_type is None or size is None:
        return None
    blob = Blob(key=key, media_type=media_type.decode(), bytes=int(size))
    return StoredBlob(blob, row[_NOTE] or b"")


_ABOUT = [_MEDIA_TYPE, _SIZE, _NOTE]

SMALL = 256 << 10
"""Bytes up to which a blob shares the connection of small commands."""


class Blobs:
    """Blobs of one kind, for an event loop. Raises what `RedisClient` raises."""

    def __init__(self, redis: RedisClient, kind: Kind) -> None:
        self._redis = redis
        self._kind = kind

    async def put(
        self, data: bytes, media_type: str, *, key: str, ttl: int, note: Message | None = None
    ) -> Blob:
        """Store `data` for `ttl` seconds at least, and return its description."""
        name = keys.blob(self._kind, key)
        await self._connection(len(data)).transaction(_storing(name, data, media_type, note, ttl))
        return Blob(key=key, media_type=media_type, bytes=len(data))

    async def get(self, blob: Blob) -> bytes | None:
        """Return the bytes, or None when the blob was never stored or has expired."""
        name = keys.blob(self._kind, blob.key)
        return cast(bytes | None, await self._connection(blob.bytes).execute("HGET", name, _DATA))

    async def find(self, key: str, *, ttl: int | None = None) -> StoredBlob | None:
        """Return a blob without its bytes, or None; with `ttl`, keep it for so long at least."""
        name = keys.blob(self._kind, key)
        commands: list[Command] = [("HMGET", name, *_ABOUT)]
        if ttl is not None:
            commands.append(("EXPIRE", name, ttl, "GT"))
        row, *_ = await self._redis.pipeline(commands)
        return _stored(key, dict(zip(_ABOUT, row, strict=True)))

    async def keep(self, data: bytes, *, ttl: int) -> StoredBlob:
        """Store `data` under its digest for `ttl` seconds at least; send only unknown bytes."""
        key = digest(data)
        stored = await self.find(key, ttl=ttl)
        return stored or StoredBlob(await self.put(data, _UNKNOWN, key=key, ttl=ttl))

    async def describe(self, blob: Blob, media_type: str, note: Message, *, ttl: int) -> Blob:
        """Write the media type and the note of a blob, and return its description.

        Where the blob has expired meanwhile, what is written expires after `ttl` seconds.
        """
        name = keys.blob(self._kind, blob.key)
        fields = (_MEDIA_TYPE, media_type, _NOTE, note.model_dump_json())
        await self._redis.transaction([("HSET", name, *fields), ("EXPIRE", name, ttl, "NX")])
        return blob.model_copy(update={"media_type": media_type})

    async def delete(self, key: str) -> bool:
        """Delete a blob. False when there was none."""
        return bool(await self._redis.execute("UNLINK", keys.blob(self._kind, key)))

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
        self, renditions: Sequence[str], images: Sequence[str], *, ttl: int
    ) -> tuple[list[StoredBlob | None], list[bytes | None]]:
        """Return each rendition without its bytes, and each image's bytes; None for missing ones.

        Renditions that are there are kept for `ttl` seconds at least.
        """
        if not renditions and not images:
            return [], []
        names = [keys.blob(Kind.RENDITION, key) for key in renditions]
        commands: list[Command] = [("HMGET", name, *_ABOUT) for name in names]
        commands += [("EXPIRE", name, ttl, "GT") for name in names]
        commands += [("HGET", keys.blob(Kind.IMAGE, key), _DATA) for key in images]
        replies = self._redis.pipeline(commands)
        found = [
            _stored(key, dict(zip(_ABOUT, row, strict=True)))
            for key, row in zip(renditions, replies, strict=False)
        ]
        return found, replies[2 * len(names) :]

    def image(self, key: str) -> bytes | None:
        """Return an image's bytes, or None when it was never stored or has expired."""
        _, [data] = self.look([], [key], ttl=0)
        return data

    def keep(self, renditions: Iterable[NewBlob], *, ttl: int) -> None:
        """Store all renditions for `ttl` seconds at least, in one step."""
        commands: list[Command] = []
        for one in renditions:
            name = keys.blob(Kind.RENDITION, one.blob.key)
            commands += _storing(name, one.data, one.blob.media_type, one.note, ttl)
        if commands:
            self._redis.transaction(commands)

    def forget_image(self, key: str) -> None:
        """Delete an image, if it is there."""
        self._redis.pipeline([("UNLINK", keys.blob(Kind.IMAGE, key))])

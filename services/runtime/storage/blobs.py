"""Image bytes, kept out of messages: put them here and send the claim check.

A blob is a Redis hash with its bytes, its media type and, for an image, what the decoder said of
it; it goes by itself when its time has run out. The gateway reaches it from its event loop, a pool
process from plain code, so there are two classes for one layout. Images that clients sent and
renditions that workers made are kept apart.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, cast

from redis.asyncio import Redis

from contracts.imaging import Blob
from contracts.message import Message
from services.runtime.redis.blocking import BlockingConnection, Command
from services.runtime.redis.multiplexer import Multiplexer

_UNKNOWN = "application/octet-stream"
_DATA, _MEDIA_TYPE, _SIZE, _NOTE = b"data", b"media_type", b"bytes", b"note"


class Kind(StrEnum):
    """What a store holds."""

    IMAGE = "image"
    RENDITION = "rendition"


@dataclass(frozen=True)
class Filled:
    """A blob with its bytes, and what is to be noted about it."""

    blob: Blob
    data: bytes
    note: Message | None = None


@dataclass(frozen=True)
class StoredBlob:
    """A blob with what was noted about it."""

    blob: Blob
    note: bytes = b""


def digest(data: bytes) -> str:
    """The key of a blob that stands for its own bytes."""
    return hashlib.sha256(data).hexdigest()


def _name(kind: Kind, key: str) -> str:
    return f"darkroom:{kind}:{key}"


def _fields(data: bytes, media_type: str, note: Message | None) -> dict[Any, Any]:
    fields = {_DATA: data, _MEDIA_TYPE: media_type.encode(), _SIZE: str(len(data)).encode()}
    return fields if note is None else {**fields, _NOTE: note.model_dump_json().encode()}


def _stored(key: str, row: Mapping[bytes, bytes | None]) -> StoredBlob | None:
    media_type, size = row[_MEDIA_TYPE], row[_SIZE]
    if media_type is None or size is None:
        return None
    blob = Blob(key=key, media_type=media_type.decode(), bytes=int(size))
    return StoredBlob(blob, row[_NOTE] or b"")


_ABOUT = [_MEDIA_TYPE, _SIZE, _NOTE]

SMALL = 256 << 10
"""Bytes up to which a blob travels with others."""


class Blobs:
    """A store, for an event loop."""

    def __init__(self, redis: Redis, kind: Kind) -> None:
        self._redis = redis
        self._wire = Multiplexer(redis)
        self._kind = kind

    async def put(
        self, data: bytes, media_type: str, *, key: str, ttl: int, note: Message | None = None
    ) -> Blob:
        """Keep `data` for `ttl` seconds at least."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_name(self._kind, key), mapping=_fields(data, media_type, note))
            pipe.expire(_name(self._kind, key), ttl, nx=True)
            pipe.expire(_name(self._kind, key), ttl, gt=True)
            await pipe.execute()
        return Blob(key=key, media_type=media_type, bytes=len(data))

    async def get(self, blob: Blob) -> bytes | None:
        """The bytes, or None when there are none (any more)."""
        name = _name(self._kind, blob.key)
        # A large answer would hold up the others on the wire.
        hget = self._redis.execute_command if blob.bytes > SMALL else self._wire.execute
        return cast(bytes | None, await hget("HGET", name, _DATA))

    async def find(self, key: str, *, ttl: int | None = None) -> StoredBlob | None:
        """What is known of a blob, without its bytes; with `ttl`, it lives so long at least."""
        name = _name(self._kind, key)
        asked = [self._wire.post("HMGET", name, *_ABOUT)]
        if ttl is not None:
            asked.append(self._wire.post("EXPIRE", name, ttl, "GT"))
        row, *_ = await asyncio.gather(*asked)
        return _stored(key, dict(zip(_ABOUT, row, strict=True)))

    async def keep(self, data: bytes, *, ttl: int) -> StoredBlob:
        """Keep `data` under its digest for `ttl` seconds at least, and send it only if it's new."""
        key = digest(data)
        stored = await self.find(key, ttl=ttl)
        return stored or StoredBlob(await self.put(data, _UNKNOWN, key=key, ttl=ttl))

    async def describe(self, blob: Blob, media_type: str, note: Message, *, ttl: int) -> Blob:
        """Say what has been found out about a blob; what had gone meanwhile goes in `ttl`."""
        fields: dict[Any, Any] = {_MEDIA_TYPE: media_type, _NOTE: note.model_dump_json()}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_name(self._kind, blob.key), mapping=fields)
            pipe.expire(_name(self._kind, blob.key), ttl, nx=True)
            await pipe.execute()
        return blob.model_copy(update={"media_type": media_type})

    async def delete(self, key: str) -> bool:
        """Drop a blob; whether there was one."""
        return bool(await self._redis.unlink(_name(self._kind, key)))


class BlockingBlobs:
    """Both kinds, for a process without an event loop: each method is one trip."""

    def __init__(self, redis: BlockingConnection) -> None:
        self._redis = redis

    def look(
        self, renditions: Sequence[str], images: Sequence[str], *, ttl: int
    ) -> tuple[list[StoredBlob | None], list[bytes | None]]:
        """What is known of each rendition, which lives `ttl` seconds from now at least, and each
        image's bytes. None where there is none (any more)."""
        if not renditions and not images:
            return [], []
        names = [_name(Kind.RENDITION, key) for key in renditions]
        commands: list[Command] = [("HMGET", name, *_ABOUT) for name in names]
        commands += [("EXPIRE", name, ttl, "GT") for name in names]
        commands += [("HGET", _name(Kind.IMAGE, key), _DATA) for key in images]
        answers = self._redis.ask(commands)
        found = [
            _stored(key, dict(zip(_ABOUT, row, strict=True)))
            for key, row in zip(renditions, answers, strict=False)
        ]
        return found, answers[2 * len(names) :]

    def image(self, key: str) -> bytes | None:
        """Its bytes, or None when there are none (any more)."""
        _, [data] = self.look([], [key], ttl=0)
        return data

    def keep(self, renditions: Iterable[Filled], *, ttl: int) -> None:
        """Keep each for `ttl` seconds at least."""
        commands: list[Command] = []
        for one in renditions:
            name = _name(Kind.RENDITION, one.blob.key)
            fields = _fields(one.data, one.blob.media_type, one.note)
            commands.append(("HSET", name, *chain.from_iterable(fields.items())))
            commands.append(("EXPIRE", name, ttl, "NX"))
            commands.append(("EXPIRE", name, ttl, "GT"))
        if commands:
            self._redis.ask_together(commands)

    def forget_image(self, key: str) -> None:
        """Drop it, if it is there."""
        self._redis.ask([("UNLINK", _name(Kind.IMAGE, key))])

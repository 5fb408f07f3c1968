"""Blobs of both kinds for a process without an event loop: a pool process."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.endpoint import Command
from services.runtime.redis.replies import FULL
from services.runtime.storage import parts
from services.runtime.storage.lives import expiring, extending, indexing
from services.runtime.storage.records import (
    FIELDS,
    SIZE,
    Kind,
    NewBlob,
    StoredBlob,
    fields_of,
    record_of,
    stored_from,
)

_ORPHAN_TTL = 60  # seconds


@dataclass(frozen=True)
class Judged:
    """An image: its bytes if they were asked for and are one part, and the verdict about it."""

    data: bytes | None
    verdict: bytes | None


def _setting(name: str, fields: Mapping[bytes, object]) -> Command:
    return "HSET", name, *fields_of(fields)


def _whole(size: bytes | None = None, part: bytes | None = None) -> bytes | None:
    """Return a blob's first part if it is the only one."""
    return part if part is not None and size is not None and len(part) == int(size) else None


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
        commands: list[Command] = [("HMGET", name, *FIELDS) for name in names]
        commands += [("EXPIRE", name, ttl, "GT") for name in names]
        fields = (_verdict_field(capability), SIZE, parts.field(0))
        commands += [
            ("HMGET", keys.blob(Kind.IMAGE, key), *(fields if wanted else fields[:1]))
            for key, wanted in images.items()
        ]
        replies = self._redis.pipeline(commands)
        found = [
            stored_from(Kind.RENDITION, key, row)
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
        return parts.joined(fields, int(fields[SIZE])) if SIZE in fields else None

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
            whole = last | record_of(len(one.data), one.blob.media_type, one.note)
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

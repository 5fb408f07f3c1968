"""Image bytes, kept out of messages: store them here and send the claim check.

A blob is a record in Redis and bytes, which lie in the store or in the record itself. This module
has what images and renditions have in common; `images.py` and `renditions.py` have the rest.
"""

import asyncio
import hashlib
import math
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from contracts.errors import Gone
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import load_script
from services.runtime.storage import parts
from services.runtime.storage.hot import Hot
from services.runtime.storage.lives import extending
from services.runtime.storage.moves import Moves
from services.runtime.storage.records import (
    DAMAGED,
    FIELDS,
    SMALL,
    Kind,
    StoredBlob,
    stored_from,
)
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import CHUNK, Missing
from services.runtime.storage.usage import Usage
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_SET = load_script(__package__, "set", when_full=True)
_TRIES = 2  # reads of a record whose bytes are elsewhere meanwhile


@dataclass(frozen=True)
class Storage:
    """The parts that blobs of both kinds need, made once in a process."""

    redis: RedisClient
    store: AsyncStore | None
    """Store of the bytes; None if they lie in Redis."""
    hot: Hot
    usage: Usage
    moves: Moves
    metrics: Metrics
    is_named: bool
    """True if the settings name the place of the bytes."""

    @property
    def scratch(self) -> Path:
        """The folder of bodies that are on their way."""
        return self.store.scratch if self.store else Path(tempfile.gettempdir())


@dataclass(frozen=True)
class Seen:
    """A record that was read just now, with the bytes in it, if they came along."""

    stored: StoredBlob
    part: bytes | None = None


class Blobs:
    """Blobs of one kind. Raises what `RedisClient` raises, and StoreFull and Unavailable."""

    kind: Kind

    def __init__(self, storage: Storage) -> None:
        self._redis = storage.redis
        self._store = storage.store
        self._hot = storage.hot
        self._usage = storage.usage
        self._moves = storage.moves
        self._corrupt = storage.metrics.corrupt_blobs.labels(self.kind.value)

    async def find(
        self, key: str, *, ttl: int | None = None, images: Sequence[str] = ()
    ) -> StoredBlob | None:
        """Return a blob without its bytes, or None; with `ttl`, keep it for so long at least.

        `images` are those that a rendition is made from.
        """
        name = keys.blob(self.kind, key)
        commands: list[Command] = [("HMGET", name, *FIELDS)]
        if ttl is not None:
            commands.append(("EXPIRE", name, ttl, "GT"))
        commands.append(("PTTL", name))
        row, *_, left = await self._redis.pipeline(commands)
        stored = stored_from(self.kind, key, row, life=life_of(left))
        if stored and images and ttl is not None:
            # A full store refuses these commands, and still has the rendition.
            with suppress(*FULL):
                await self._redis.pipeline(extending(key, images, ttl))
        return stored

    async def find_in(self, project: str, key: str) -> StoredBlob | None:
        """Return a blob of a project; None for one of another project, as if there were none."""
        stored = await self.find(key)
        return stored if stored is not None and stored.project == project else None

    async def lives(self, wanted: Sequence[str]) -> list[float]:
        """Return the seconds that each blob has left: infinite without an end, 0 for none."""
        names = (keys.blob(self.kind, key) for key in wanted)
        return [
            life_of(left) for left in await self._redis.pipeline(("PTTL", name) for name in names)
        ]

    async def get(self, blob: Blob) -> bytes | None:
        """Return all bytes, or None when the blob was never stored or has expired."""
        try:
            return b"".join([part async for part in self.read(blob)])
        except Gone:
            return None

    async def read(
        self, blob: Blob, start: int = 0, stop: int | None = None, *, seen: Seen | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to `stop` in pieces; each is fetched when it is asked.

        A record that was `seen` just now is not looked up again, unless the bytes have moved since.
        The bytes of a whole blob are compared with their digest: the last piece comes after that.
        Raises Gone when the blob was never stored, has expired, maybe between two pieces, or is
        damaged.
        """
        stop = blob.bytes if stop is None else stop
        for number in range(_TRIES):
            known = seen if number == 0 else None
            if known is None or (known.part is None and self._is_in_redis(known.stored)):
                known = await self._look_up(blob)
            stored, part = known.stored, known.part
            if stored.damaged:
                raise Gone("The stored bytes of this image are damaged; upload it again.")
            pieces = self._pieces(stored, part, start, stop)
            whole = start == 0 and stop >= stored.blob.bytes
            checked = self._checked(stored, pieces) if whole and stored.digest else pieces
            try:
                async for piece in checked:
                    number = _TRIES  # the client has some bytes: there is no way back
                    yield piece
            except Missing as exc:
                if number + 1 < _TRIES:
                    continue
                await self.report_damaged(stored, "its bytes are missing")
                raise Gone("The store has lost this image; ask for it again.") from exc
            return

    async def report_damaged(self, stored: StoredBlob, reason: str) -> bool:
        """Log and count a blob whose bytes are lost or wrong, and have nobody find them again.

        A rendition is made anew, and an image is stored anew when somebody uploads it again.
        Returns False if the bytes that are stored are right: it was a copy of them that was wrong,
        or others have been stored in the place of `stored` meanwhile.
        """
        if await self._is_replaced(stored):
            return False
        if await self._is_whole(stored):
            log.warning("a copy of stored bytes was damaged", kind=self.kind, key=stored.blob.key)
            return False
        log.error("stored bytes are damaged", kind=self.kind, key=stored.blob.key, reason=reason)
        self._corrupt.inc()
        name = keys.blob(self.kind, stored.blob.key)
        if self.kind is Kind.RENDITION:
            await self._redis.execute("UNLINK", name)
        else:
            await self._redis.script(_SET, (name,), (DAMAGED, 1))
        return True

    async def _is_replaced(self, stored: StoredBlob) -> bool:
        """Return whether the record names other bytes by now: a render has been done again."""
        now = await self.find(stored.blob.key)
        return now is not None and now.digest != stored.digest

    async def _is_whole(self, stored: StoredBlob) -> bool:
        """Read all stored bytes, past this host's copies, and compare them with their digest."""
        digest = hashlib.sha256()
        try:
            if stored.place is not None and self._store is not None:
                await self._store.forget(stored.path)
            *_, part = await self._record_and_part(stored.blob)
            async for piece in self._pieces(stored, part, 0, stored.blob.bytes):
                await asyncio.to_thread(digest.update, piece)
        except Missing:
            return False
        return digest.hexdigest() == stored.digest

    async def _look_up(self, blob: Blob) -> Seen:
        """Return a blob, with its first part if that may lie in Redis. Raises Gone."""
        *row, part = await self._record_and_part(blob)
        stored = stored_from(self.kind, blob.key, row)
        if stored is None:
            raise Gone("The result has expired; ask for it again.")
        return Seen(stored, part)

    def _is_in_redis(self, stored: StoredBlob) -> bool:
        return stored.place is None or self._store is None

    async def _record_and_part(self, blob: Blob) -> list[bytes | None]:
        """Return the values of `FIELDS`, and the first part if the bytes may lie in Redis."""
        name = keys.blob(self.kind, blob.key)
        row: list[bytes | None] = await self._connection(blob.bytes).execute(
            "HMGET", name, *FIELDS, parts.field(0)
        )
        return row

    async def _pieces(
        self, stored: StoredBlob, part: bytes | None, start: int, stop: int
    ) -> AsyncIterator[bytes]:
        if self._is_in_redis(stored):
            if self.kind is Kind.IMAGE:
                self._moves.offer(stored)
            try:
                async for piece in self._parts(stored, part, start, stop):
                    start += len(piece)
                    yield piece
                return
            except Missing:
                moved = await self.find(stored.blob.key)
                if self._store is None or moved is None or moved.place is None:
                    raise
                if moved.digest != stored.digest:
                    raise
                stored = moved
        assert self._store is not None
        path = stored.path
        if stop - start <= CHUNK:
            yield await self._store.get(path, start, stop)
            return
        async for piece in self._store.read(path, start, stop):
            yield piece

    async def _parts(
        self, stored: StoredBlob, part: bytes | None, start: int, stop: int, *, at_once: int = 1
    ) -> AsyncIterator[bytes]:
        """Yield bytes that lie in Redis, `at_once` parts from each trip. Raises Missing and Gone.

        `part` is the first part of the blob.
        """
        # A blob of an older version has one part, however large it is.
        size = len(part or b"") or parts.PART
        fetched = deque([part] if start < min(size, stop) else [])
        missing = deque(range(max(1, start // size), -(-stop // size)))
        at = start // size * size
        while fetched or missing:
            if not fetched:
                part = None  # not while the next one arrives
                numbers = [missing.popleft() for _ in range(min(at_once, len(missing)))]
                fetched.extend(await self._fetch_parts(stored.blob, numbers))
            part = fetched.popleft()
            if part is None:
                raise Missing
            yield part[max(0, start - at) : stop - at]
            at += size

    async def _fetch_parts(self, blob: Blob, numbers: Sequence[int]) -> list[bytes | None]:
        name = keys.blob(self.kind, blob.key)
        return await self._connection(blob.bytes).pipeline(
            ("HGET", name, parts.field(number)) for number in numbers
        )

    async def _checked(
        self, stored: StoredBlob, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield the pieces, the last one after a comparison of all with the digest. Raises Gone."""
        digest, missing, last = hashlib.sha256(), stored.blob.bytes, b""
        async for piece in pieces:
            digest.update(piece)
            missing -= len(piece)
            if missing > 0:
                yield piece
            else:
                last = piece
        if digest.hexdigest() != stored.digest:
            await self.report_damaged(stored, "its bytes have another digest")
            raise Gone("The stored bytes of this image are damaged; ask for it again.")
        yield last

    def _connection(self, size: int) -> Multiplexer | RedisClient:
        """Choose where bytes travel: large values would hold up small commands."""
        return self._redis.bulk if size > SMALL else self._redis


def life_of(left: int) -> float:
    """Return the answer to PTTL in seconds: infinite without an end, 0 for no key."""
    return math.inf if left == -1 else max(0, left) / 1000

"""Renditions: results of renders, under the digests of their questions.

A small one stays in Redis as long as there is room; the bytes of another one are put into the
store before its record is written.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Unavailable
from services.runtime.redis import keys
from services.runtime.redis.endpoint import Command
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import FollowUp, load_script
from services.runtime.storage import parts
from services.runtime.storage.blobs import Blobs
from services.runtime.storage.hot import member
from services.runtime.storage.lives import end_of, extending
from services.runtime.storage.records import (
    DIGEST,
    FIELDS,
    PLACE,
    PROJECT,
    Kind,
    NewBlob,
    Place,
    StoredBlob,
    fields_of,
    path_of,
    record_of,
    stored_from,
)
from services.runtime.storage.render_claims import END, Held

_KEEP = load_script(__package__, "keep", functions={"end_claim": END})

_LONG = 1 << 20  # bytes whose digest is computed in a thread
_DELETION = 0.2  # seconds until a deletion under way is asked for again
_LONGEST_DELETION = 5.0  # seconds that a rendition waits for one

_Argument = str | int | bytes | memoryview


class Renditions(Blobs):
    """The renditions of all projects, by keys that no two of them share. Raises as `Blobs`."""

    kind = Kind.RENDITION

    async def look(
        self, wanted: Mapping[str, Sequence[str]], *, ttl: int
    ) -> list[StoredBlob | None]:
        """Return each rendition that is there, and keep it for `ttl` seconds at least.

        `wanted` has the images that each of them is made from.
        """
        if not wanted:
            return []
        names = [keys.blob(self.kind, key) for key in wanted]
        commands: list[Command] = [("HMGET", name, *FIELDS) for name in names]
        commands += [("EXPIRE", name, ttl, "GT") for name in names]
        rows = await self._redis.pipeline(commands)
        found = [stored_from(self.kind, key, row) for key, row in zip(wanted, rows, strict=False)]
        reused = [one.blob.key for one in found if one is not None]
        if reused:
            # A full store refuses these commands, and still has the renditions.
            with suppress(*FULL):
                await self._redis.pipeline(
                    list(chain.from_iterable(extending(key, wanted[key], ttl) for key in reused))
                )
        return found

    async def keep(
        self,
        new: Sequence[NewBlob],
        *,
        ttl: int,
        project: str = DEFAULT_PROJECT,
        claim: Held | None = None,
        follow_up: FollowUp | None = None,
    ) -> set[str]:
        """Store all renditions in a project for `ttl` seconds at least, in one step.

        The `claim` of the only rendition ends with that step, and the `follow_up` runs in it,
        unless the rendition is not kept.
        Returns the keys of those that are not kept: an image they are made from was deleted
        meanwhile. Raises StoreFull, and Unavailable if older bytes of one are being deleted.
        """
        if not new:
            return set()
        hot = {one.blob.key for one in new if self._hot.takes(len(one.data))}
        in_store = {
            one.blob.key: one for one in new if self._store is not None and one.blob.key not in hot
        }
        await self._put(list(in_store.values()), project)
        names: list[str] = [keys.HOT, keys.HOT_BYTES, keys.STORE_DELETING, keys.STORE_USAGE]
        names.append(claim.name if claim else "")
        arguments: list[_Argument] = [ttl, int(time.time()), end_of(ttl), project]
        arguments.append(claim.owner if claim else "")
        follows = follow_up.arguments() if follow_up else []
        arguments += (len(follow_up.commands) if follow_up else 0, *follows)
        earlier: list[Command] = []  # the parts before the last one of each
        size = 0
        for one in new:
            key, length = one.blob.key, len(one.data)
            name = keys.blob(self.kind, key)
            record = record_of(length, one.blob.media_type, one.note)
            record[DIGEST] = await _digest_of(one.data)
            if project != DEFAULT_PROJECT:
                record[PROJECT] = project
            if key in in_store:
                record[PLACE] = Place.RENDITIONS
            else:
                *others, last = (
                    {parts.field(number): part} for number, part in enumerate(parts.split(one.data))
                )
                earlier += [("HSET", name, *fields_of(fields)) for fields in others]
                record |= last
                size += length
            names.append(name)
            for image in one.images:
                names += (keys.renditions_of(image), keys.purged(image))
            arguments += (key, len(one.images), record.get(PLACE, ""), _path(one, project), length)
            arguments += (member(self.kind, key) if key in hot else "", len(record))
            arguments += fields_of(record)
        total, gone, deleting, awaited, followed = await self._write(
            earlier, names, arguments, size
        )
        if claim and awaited >= 0:
            claim.on_end(awaited == 1)
        if follow_up and followed == len(follow_up.commands):
            follow_up.on_run()
        if total:
            self._hot.observe(total)
        late = {key.decode() for key in gone}
        await self._remove([in_store[key] for key in late & in_store.keys()], project)
        if deleting:
            await self._put_after_deletion([in_store[key.decode()] for key in deleting], project)
        return late

    async def _write(
        self,
        earlier: Sequence[Command],
        names: Sequence[str],
        arguments: Sequence[_Argument],
        size: int,
    ) -> tuple[int, list[bytes], list[bytes], int, int]:
        """Run the script; commands for earlier parts and the script are one step."""
        connection = self._connection(size)
        if earlier:
            commands = [*earlier, _KEEP.in_full(names, arguments)]
            written = (await connection.transaction(commands))[-1]
        else:
            written = await connection.script(_KEEP, names, arguments)
        total, gone, deleting, awaited, followed = written
        return int(total), gone, deleting, int(awaited), int(followed)

    async def _put(self, new: Sequence[NewBlob], project: str) -> None:
        """Put bytes into the store. A loss of power may lose them: they can be made again."""
        store = self._store
        if store is None or not new:
            return
        size = sum(len(one.data) for one in new)
        async with self._usage.room(size, project):
            await asyncio.gather(
                *(store.put(_path(one, project), one.data, durable=False) for one in new)
            )
            await self._count(project, len(new), size)

    async def _put_after_deletion(self, new: Sequence[NewBlob], project: str) -> None:
        """Put bytes again that the deletion of older ones may take away, once it has ended.

        Raises Unavailable, without the records, if it takes too long.
        """
        assert self._store is not None
        paths = [_path(one, project) for one in new]
        notes: list[Command] = [("ZSCORE", keys.STORE_DELETING, path) for path in paths]
        until = time.monotonic() + _LONGEST_DELETION
        while any(await self._redis.pipeline(notes)):
            if time.monotonic() > until:
                await self._redis.execute(
                    "UNLINK", *(keys.blob(self.kind, one.blob.key) for one in new)
                )
                detail = "An older result of the same request is being deleted; try again soon."
                raise Unavailable(detail, retry_after=5)
            await asyncio.sleep(_DELETION)
        put = self._store.put
        await asyncio.gather(
            *(put(path, one.data, durable=False) for path, one in zip(paths, new, strict=True))
        )

    async def _remove(self, new: Sequence[NewBlob], project: str) -> None:
        """Take bytes out of the store again."""
        if self._store is None or not new:
            return
        await self._store.delete([_path(one, project) for one in new])
        await self._count(project, -len(new), -sum(len(one.data) for one in new))

    async def _count(self, project: str, objects: int, size: int) -> None:
        await self._usage.add(project, Place.RENDITIONS, objects=objects, size=size)


def _path(one: NewBlob, project: str) -> str:
    return path_of(Place.RENDITIONS, one.blob.key, project)


async def _digest_of(data: bytes) -> str:
    if len(data) <= _LONG:
        return hashlib.sha256(data).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())

"""Make, rotate, revoke, list and import keys: changes of the records in Redis."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.access.keys import KeyLimits, KeyScope
from contracts.errors import Conflict, NotFound, Overloaded
from services.gateway.access.keys import room
from services.gateway.access.keys.imports import check_imported, merged
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.keys.records import KeyRecord
from services.gateway.access.keys.token import Token, new_token
from services.runtime.redis.client import RedisClient, redis_errors
from services.runtime.redis.keys import (
    API_KEYS,
    API_KEYS_VERSION,
    SESSION_SECRET,
    removed_api_keys,
)
from services.runtime.redis.scripts import load_script

# A key can be revoked while Redis is full.
_CHANGE = load_script("services.gateway.access.keys", "change", when_full=True)
_REMOVE = load_script("services.gateway.access.keys", "remove", when_full=True)
_DONE, _FULL, _REMOVED = 1, -1, -2
_ATTEMPTS = 5
_SECRET_BYTES = 32


@dataclass(frozen=True)
class MadeKey:
    """A key whose text can be shown this once."""

    record: KeyRecord
    token: Token


class Keys:
    """Changes keys. Every method raises Unavailable or StoreFull if Redis can't write.

    A change counts on this gateway when its method returns, and on every other one a second later.
    """

    def __init__(self, redis: RedisClient, keyring: Keyring) -> None:
        self._redis = redis
        self.ring = keyring
        self._adding = asyncio.Lock()
        """Held while a key is added: room is found for one after the other."""

    async def make(
        self,
        name: str,
        *,
        project: str,
        scopes: frozenset[KeyScope],
        life: int | None,
        limits: KeyLimits | None,
    ) -> MadeKey:
        """Make a key that lives for `life` seconds, or without an end.

        Raises Conflict when the project, or all of them, have as many keys as there may be.
        """
        token, now = new_token(), datetime.now(UTC)
        record = KeyRecord(
            id=token.id,
            name=name,
            project=project,
            scopes=scopes,
            digest=token.digest.hex(),
            created=now,
            limits=limits,
            expires=None if life is None else now + timedelta(seconds=life),
        )
        async with self._adding:
            await self._change(token.id, lambda before: record)
        return MadeKey(record, token)

    async def rotate(self, key_id: str, *, project: str | None, grace: int) -> MadeKey:
        """Give a key another secret; the one before counts for `grace` seconds more.

        Raises NotFound for a key that is not there, is another project's or does not count.
        """
        token, now = new_token(key_id), datetime.now(UTC)

        def change(before: KeyRecord | None) -> KeyRecord:
            found = _own(before, project)
            if not found.counts_at(now):
                raise NotFound(_NO_KEY)
            # Later than the rotation before, by whichever clock that was.
            rotated = max(now, (found.rotated or found.created) + timedelta(microseconds=1))
            old = {"old_digest": found.digest, "old_until": now + timedelta(seconds=grace)}
            if not grace:
                old = {"old_digest": None, "old_until": None}
            new = {"digest": token.digest.hex(), "rotated": rotated}
            return found.model_copy(update={**new, **old})

        return MadeKey(await self._change(key_id, change), token)

    async def revoke(self, key_id: str, *, project: str | None) -> None:
        """Revoke a key for ever. Raises NotFound for a missing key and another project's."""

        def change(before: KeyRecord | None) -> KeyRecord:
            found = _own(before, project)
            if found.revoked is not None:
                return found
            return found.model_copy(update={"revoked": datetime.now(UTC)})

        await self._change(key_id, change)

    async def put(self, record: KeyRecord, *, project: str | None) -> KeyRecord:
        """Store the record of a key that was made elsewhere; return the record that is stored.

        A key that has ended here stays so, and so does one that was rotated here since. Raises
        Conflict if the id is one of another key, or of one that was removed; and InvalidRequest.
        """
        now = datetime.now(UTC)
        check_imported(record, now)

        def change(before: KeyRecord | None) -> KeyRecord:
            return record if before is None else merged(_own(before, project), record, now)

        async with self._adding:
            return await self._change(record.id, change, imported=record)

    async def listed(self, project: str | None) -> list[KeyRecord]:
        """Return the keys of a project, or of all projects: the newest first."""
        await self.ring.read_again()
        own = [record for record in self.ring.records if project in (None, record.project)]
        return sorted(own, key=lambda record: (record.created, record.id), reverse=True)

    async def session_secret(self) -> bytes:
        """Return the secret that signs session cookies, which the first session makes."""
        if not self.ring.session_secret:
            with redis_errors():
                await self._redis.execute(
                    "SET", SESSION_SECRET, secrets.token_bytes(_SECRET_BYTES), "NX"
                )
                await self._redis.execute("SET", API_KEYS_VERSION, secrets.token_hex())
            await self.ring.read_again()
        return self.ring.session_secret

    async def _change(
        self,
        key_id: str,
        change: Callable[[KeyRecord | None], KeyRecord],
        *,
        imported: KeyRecord | None = None,
    ) -> KeyRecord:
        """Replace the record of a key by what `change` makes of it, as one step."""
        created = "" if imported is None else imported.created.timestamp()
        for _ in range(_ATTEMPTS):
            with redis_errors():
                before: bytes | None = await self._redis.execute("HGET", API_KEYS, key_id)
            record = change(None if before is None else KeyRecord.model_validate_json(before))
            seen = b"" if before is not None else await self._make_room(record)
            after, version = record.model_dump_json(), secrets.token_hex()
            most = (room.MAX_KEYS, room.MAX_REMOVED)
            with redis_errors():
                names = _names(record.project)
                args = (key_id, before or b"", after, version, seen, *most, created)
                outcome = await self._redis.script(_CHANGE, names, args)
            if outcome == _FULL:
                raise Conflict(f"There are {room.MAX_KEYS:,} keys, and no more are possible.")
            if outcome == _REMOVED:
                raise Conflict(
                    "This key had ended and was removed here, or is as old as keys that were: make"
                    " another one."
                )
            if outcome == _DONE:
                await self.ring.read_again()
                return record
        raise Overloaded("Somebody else changes this key; try again.", retry_after=1)

    async def _make_room(self, record: KeyRecord) -> bytes:
        """Remove ended keys where there are too many; return the version of those that are left.

        Raises Conflict if the project may have no other key.
        """
        now = datetime.now(UTC)
        await self.ring.read_again()
        room.check_project(self.ring.records, record, now)
        ended = room.ended_too_long(self.ring.records, record.project, now)
        version = self.ring.version
        for project, keys in ended.items():
            seen, version = version, secrets.token_hex().encode()
            each = (part for one in keys for part in (one.created.timestamp(), one.id))
            with redis_errors():
                args = (seen, version, room.MAX_REMOVED, *each)
                await self._redis.script(_REMOVE, _names(project), args)
        return version


_NO_KEY = "There is no key with this id."


def _names(project: str) -> tuple[str, str, str]:
    return API_KEYS, API_KEYS_VERSION, removed_api_keys(project)


def _own(record: KeyRecord | None, project: str | None) -> KeyRecord:
    """Return a record of the project, or of any. Raises NotFound."""
    if record is None or project not in (None, record.project):
        raise NotFound(_NO_KEY)
    return record

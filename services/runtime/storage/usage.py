"""Numbers of bytes and objects in the store, by project and place, and their limits.

The counts are a hash in Redis, which every process changes when it stores and deletes; a sweep
writes them anew.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from redis.exceptions import RedisError

from contracts.errors import ServiceError, StoreFull
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.storage.records import Place

_RETRY_AFTER = 60  # seconds, where something expires
_LONGEST_MS = 600_000  # for which the reservation of a writer that died counts

_RESERVE = load_script(__package__, "reserve")


@dataclass(frozen=True)
class Count:
    """Number and size of the objects in one place of one project."""

    objects: Annotated[int, Field(description="Number of objects.")] = 0
    bytes: Annotated[int, Field(description="Their size in all, in bytes.")] = 0

    def __add__(self, size: int) -> "Count":
        """Return the counts with one more object of `size` bytes."""
        return Count(self.objects + 1, self.bytes + size)


class Usage:
    """The counts, and the limits in bytes of the store and of a project; None for no limit."""

    def __init__(
        self, redis: RedisClient, *, store_bytes: int | None, project_bytes: int | None
    ) -> None:
        self._redis = redis
        self._limits = (store_bytes, project_bytes)

    @property
    def limited(self) -> bool:
        """True if there is any limit."""
        return self._limits != (None, None)

    async def counts(self) -> dict[tuple[str, Place], Count]:
        """Return what is in the store, by project and place."""
        return counts_from(await self._redis.execute("HGETALL", keys.STORE_USAGE))

    @asynccontextmanager
    async def room(self, size: int, project: str) -> AsyncIterator[None]:
        """Reserve room for `size` bytes of a project, until they are stored and counted.

        Writers in all processes see each other's reservations, so many at once exceed no limit
        together. Raises StoreFull, with how much is left.
        """
        if not self.limited:
            yield
            return
        reservation = f"{project}:{size}:{secrets.token_hex(8)}"
        fits, *left = await self._redis.script(
            _RESERVE,
            (keys.STORE_USAGE, keys.STORE_RESERVED),
            (
                *(size, project, reservation),
                *("" if limit is None else limit for limit in self._limits),
                _LONGEST_MS,
            ),
        )
        if not fits:
            raise await self._full(size, project, left)
        try:
            yield
        finally:
            with suppress(RedisError, OSError, ServiceError):  # it ends by itself
                await self._redis.execute("ZREM", keys.STORE_RESERVED, reservation)

    async def _full(self, size: int, project: str, left: Sequence[int | bytes]) -> StoreFull:
        """Return the failure of `size` bytes that do not fit into what is left."""
        counts = await self.counts()
        name, limit, rest, full = next(
            one
            for one in zip(("store", "project"), self._limits, left, ("", project), strict=True)
            if isinstance(one[2], int) and size > one[2]
        )
        expires = any(
            count.bytes
            for (owner, place), count in counts.items()
            if place != Place.KEPT and full in ("", owner)
        )
        return StoreFull(
            f"The {name} is full: {max(0, int(rest)):,} of {limit:,} bytes are left, and this image"
            f" has {size:,}. Delete images, or raise the limit.",
            retry_after=_RETRY_AFTER if expires else None,
        )

    async def add(self, project: str, place: Place, *, objects: int, size: int) -> None:
        """Count objects that were stored, and their bytes; negative numbers of deleted ones."""
        await self._redis.pipeline(
            [
                ("HINCRBY", keys.STORE_USAGE, f"{project}:{place}:objects", objects),
                ("HINCRBY", keys.STORE_USAGE, f"{project}:{place}:bytes", size),
            ]
        )

    async def reset(self, counts: Mapping[tuple[str, Place], Count]) -> None:
        """Replace all counts."""
        fields: list[str | int] = []
        for (project, place), count in counts.items():
            fields += [f"{project}:{place}:objects", count.objects]
            fields += [f"{project}:{place}:bytes", count.bytes]
        commands: list[tuple[str | int, ...]] = [("UNLINK", keys.STORE_USAGE)]
        if fields:
            commands.append(("HSET", keys.STORE_USAGE, *fields))
        await self._redis.transaction(commands)


def counts_from(fields: Mapping[bytes, bytes]) -> dict[tuple[str, Place], Count]:
    """Return the counts that the hash has."""
    found: dict[tuple[str, Place], dict[str, int]] = {}
    for name, value in fields.items():
        project, place, unit = name.decode().rsplit(":", 2)
        if place in set(Place) and unit in ("objects", "bytes"):
            found.setdefault((project, Place(place)), {})[unit] = max(0, int(value))
    return {key: Count(**units) for key, units in found.items()}

"""How many bytes and objects are in the store, by project and place, and how many there may be.

The counts are a hash in Redis, which every process changes when it stores and deletes; a sweep
writes them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from contracts.errors import StoreFull
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import DEFAULT_PROJECT, Place

_RETRY_AFTER = 60  # seconds, where something expires


@dataclass(frozen=True)
class Count:
    """What is in one place of one project."""

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
        self._limits = (("store", "", store_bytes), ("project", DEFAULT_PROJECT, project_bytes))

    async def counts(self) -> dict[tuple[str, Place], Count]:
        """Return what is in the store, by project and place."""
        return counts_from(await self._redis.execute("HGETALL", keys.STORE_USAGE))

    async def check_room(self, size: int) -> None:
        """Raise StoreFull if `size` bytes more would exceed a limit; with how much is left."""
        if all(limit is None for _, _, limit in self._limits):
            return
        counts = await self.counts()
        for name, project, limit in self._limits:
            own = {key: count for key, count in counts.items() if project in ("", key[0])}
            left = (limit or 0) - sum(count.bytes for count in own.values())
            if limit is None or size <= left:
                continue
            expires = any(count.bytes for (_, place), count in own.items() if place != Place.KEPT)
            raise StoreFull(
                f"The {name} is full: {max(0, left):,} of {limit:,} bytes are left, and this image"
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

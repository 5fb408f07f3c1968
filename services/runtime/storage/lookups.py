"""Find an image and a rendition of it in one trip to Redis, with the bytes that lie in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import load_script
from services.runtime.storage.blobs import Seen, life_of
from services.runtime.storage.images import Images
from services.runtime.storage.lives import end_of
from services.runtime.storage.records import Kind, stored_from
from services.runtime.storage.renditions import Renditions

ALONG = 64 << 10
"""Bytes of the largest blob that comes along: as many as the connection of a client buffers.

A caller holds them until it answers, so those of larger ones are fetched when there is room.
"""

LOOKUP = load_script(
    __package__, "lookup", when_full=True, ALONG=ALONG, DEFAULT_PROJECT=DEFAULT_PROJECT
)


@dataclass(frozen=True)
class Found:
    """An image, and a rendition that is made from it and from others, if that is stored."""

    image: Seen
    life: float
    """Seconds until the first of the images ends: infinite without an end, 0 if one is gone."""
    rendition: Seen | None = None
    no_store: bool = False
    """True if caches may not keep one of the images (`StoredBlob.no_store`)."""


class Lookup:
    """A search for an image and a rendition of it, which lookup.lua makes."""

    def __init__(
        self,
        project: str,
        images: Sequence[str],
        *,
        rendition: str | None = None,
        ttl: int = 0,
        bytes_of: Kind | None = None,
    ) -> None:
        """Search for the first of `images` in a project.

        `rendition` is the key of a result that is made from all of them: it is kept for `ttl`
        seconds at least. Bytes of the kind `bytes_of` come along if they lie in Redis, and are
        `ALONG` at most.
        """
        self.project, self.images, self.rendition = project, images, rendition
        self.names = [keys.blob(Kind.IMAGE, image) for image in images]
        if rendition is not None:
            self.names.append(keys.blob(Kind.RENDITION, rendition))
            self.names += [keys.renditions_of(image) for image in images]
        others = len(images) - 1
        self.arguments = (others, bytes_of or "", ttl, end_of(ttl), rendition or "", project)

    def found(self, reply: Any) -> Found | None:
        """Return what the script has found; None where the project has no such image."""
        if reply is None:
            return None
        row, left, lives, result, result_left, data, no_store = reply
        image = stored_from(Kind.IMAGE, self.images[0], row, life=life_of(left))
        if image is None:
            return None
        life = min([image.life, *map(life_of, lives)])
        if self.rendition is None or result is None:
            return Found(Seen(image, data), life, no_store=bool(no_store))
        stored = stored_from(Kind.RENDITION, self.rendition, result, life=life_of(result_left))
        seen = None if stored is None else Seen(stored, data)
        return Found(Seen(image), life, seen, bool(no_store))


class Lookups:
    """Looks up images with their renditions. Raises what `RedisClient` raises."""

    def __init__(self, redis: RedisClient, images: Images, renditions: Renditions) -> None:
        self._redis = redis
        self._images = images
        self._renditions = renditions

    async def find(self, lookup: Lookup) -> Found | None:
        """Return the image and the rendition, or None where the project has no such image."""
        try:
            reply = await self._redis.script(LOOKUP, lookup.names, lookup.arguments)
        except FULL:
            # Redis can't write to its disk, and still has the rendition.
            return await self._look(lookup.project, lookup.images, lookup.rendition)
        return lookup.found(reply)

    async def _look(
        self, project: str, images: Sequence[str], rendition: str | None
    ) -> Found | None:
        """Find the same with commands that write nothing."""
        image, *others = [await self._images.find_in(project, key) for key in images]
        if image is None:
            return None
        life = min([image.life, *(other.life if other else 0.0 for other in others)])
        stored = None if rendition is None else await self._renditions.find(rendition)
        no_store = any(one.no_store for one in (image, *others) if one)
        seen = None if stored is None else Seen(stored)
        return Found(Seen(image), life, seen, no_store)

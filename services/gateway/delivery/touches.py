"""Lives of blobs behind cached answers: an answer from the cache extends them, too.

Blobs whose answers were given are looked at in batches, each once a minute at most. That extends
the life of a rendition, tells how long the images live, and finds out what is not there any more.
"""

import asyncio
import time
from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from services.gateway.delivery.cache import UNCONFIRMED, Answer, DeliveryCache, Key, Source
from services.runtime.storage.images import Images
from services.runtime.storage.records import Kind
from services.runtime.storage.renditions import Renditions
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_BATCH = 256  # blobs that are looked at in one step
_LOOK = 1.0  # seconds between two looks for what is due


class Touches:
    """Extends the lives of blobs whose answers were given, and drops answers without a blob."""

    def __init__(
        self, cache: DeliveryCache, images: Images, renditions: Renditions, *, ttl: int
    ) -> None:
        """`ttl` is the life in seconds of a rendition from its last use."""
        self._cache = cache
        self._images = images
        self._renditions = renditions
        self._ttl = ttl
        self._interval = min(UNCONFIRMED / 2, ttl / 4)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for what is due."""
        self._task = asyncio.create_task(self._run(), name="delivery-touches")

    async def stop(self) -> None:
        """Touch what was used, once more, and end."""
        await end(self._task)
        await self._try(time.monotonic() + self._interval)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK, self._interval))
            await self._try(time.monotonic())

    async def _try(self, now: float) -> None:
        try:
            await self.touch(now)
        except (RedisError, OSError) as exc:
            log.info("results were not kept for longer", reason=str(exc))
        except Exception as exc:
            log.error("touching results failed", exc_info=exc)

    async def touch(self, now: float) -> None:
        """Look at the blobs that were last seen long enough before `now`. Raises RedisError."""
        cache = self._cache
        due = [
            (key, answer)
            for key, answer in cache.used.items()
            if now - answer.confirmed >= self._interval
        ]
        for start in range(0, len(due), _BATCH):
            await self._touch(due[start : start + _BATCH])
        while cache.left:
            some = [cache.left.popitem()[1] for _ in range(min(_BATCH, len(cache.left)))]
            await self._extend(some)

    async def _touch(self, due: Sequence[tuple[Key, Answer]]) -> None:
        sources = [answer.source for _, answer in due]
        digests = await self._extend(sources)
        images = list({image for source in sources for image in source.images})
        lives = dict(zip(images, await self._images.lives(images), strict=True))
        now = time.monotonic()
        for (key, answer), source in zip(due, sources, strict=True):
            life = min(lives[image] for image in source.images)
            if source.kind is Kind.RENDITION:
                same = digests.get(source.key) == source.digest
                life = min(life, self._ttl) if same else 0.0
            answer.used = False
            self._cache.used.pop(key, None)
            if life <= 0:
                self._cache.drop(key)
            answer.confirmed, answer.ends = now, min(now + life, answer.latest)
            if not answer.dated:
                answer.made = now

    async def _extend(self, sources: Sequence[Source]) -> dict[str, str]:
        """Extend the lives of renditions; return the digests of those that are there."""
        wanted = {source.key: source.images for source in sources if source.kind is Kind.RENDITION}
        found = await self._renditions.look(wanted, ttl=self._ttl)
        return {one.blob.key: one.digest for one in found if one is not None}

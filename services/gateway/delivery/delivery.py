"""The delivery cache of a process, kept current by news of purges and by lives in Redis."""

from prometheus_client import Counter
from starlette.types import ASGIApp

from services.gateway.delivery.cache import DeliveryCache
from services.gateway.delivery.middleware import DeliveryMiddleware
from services.gateway.delivery.purges import PurgeNews
from services.gateway.delivery.touches import Touches
from services.gateway.http.image_response import AnswerRoom
from services.gateway.settings import GatewaySettings
from services.runtime.redis.client import RedisClient
from services.runtime.storage.images import Images
from services.runtime.storage.renditions import Renditions
from services.runtime.telemetry.metrics import Metrics


class Delivery:
    """Gives answers from memory. With `delivery_cache=0`, it does no more than announce purges."""

    def __init__(
        self,
        redis: RedisClient,
        images: Images,
        renditions: Renditions,
        room: AnswerRoom,
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        self._room = room
        self._enabled = settings.delivery_cache > 0
        evictions = Counter(
            "darkroom_delivery_evictions",
            "Answers that left the memory for want of room.",
            registry=metrics.registry,
        )
        self.cache = DeliveryCache(settings.delivery_cache, on_eviction=evictions.inc)
        self._news = PurgeNews(redis, on_purge=self.cache.purge, on_loss=self.cache.clear)
        self._touches = Touches(self.cache, images, renditions, ttl=settings.rendition_ttl)
        self._hits = Counter(
            "darkroom_delivery_hits",
            "Requests that were answered from the memory of the process.",
            registry=metrics.registry,
        )
        self._misses = Counter(
            "darkroom_delivery_misses",
            "Requests whose answer could have been in the memory of the process, and was not.",
            registry=metrics.registry,
        )
        metrics.watch(
            "darkroom_delivery_bytes",
            "Bytes of the answers in memory, which `DARKROOM_DELIVERY_CACHE` limits.",
            lambda: self.cache.bytes,
        )

    async def start(self) -> None:
        """Begin to listen for purges; answers are given from memory once they are heard."""
        if self._enabled:
            await self._news.start()
            await self._touches.start()

    async def stop(self) -> None:
        """Give no more answers from memory."""
        if self._enabled:
            await self._news.stop()
            await self._touches.stop()

    async def purge(self, image: str) -> None:
        """Forget what was made from an image, here and on all gateways. Raises RedisError.

        Call this after the image, its life or its results were changed in Redis.
        """
        self.cache.purge(image)
        await self._news.announce(image)

    def in_front_of(self, app: ASGIApp) -> DeliveryMiddleware:
        """Return an application that answers from memory, and passes other requests to `app`.

        With `delivery_cache=0`, nothing is heard of purges, and so nothing is answered from memory.
        """
        return DeliveryMiddleware(
            app,
            self.cache,
            self._room,
            hears=self._news.hears,
            hits=self._hits,
            misses=self._misses,
        )

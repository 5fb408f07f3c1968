"""Searches for renditions of stored images, beside a suite."""

from contracts.imaging import Blob, result_key
from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from services.gateway.delivery.find_or_render import FindOrRender
from services.runtime.redis.client import RedisClient
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.lookups import Lookup, Lookups
from services.runtime.storage.records import Kind, NewBlob, StoredBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.delivery.one_worker import Suite

PIPELINE = Pipeline(operations=(Grayscale(),))


class Stored:
    """Images and renditions beside a suite, and searches for them."""

    def __init__(self, suite: Suite) -> None:
        self.redis: RedisClient = suite.gateway.redis
        storage = make_storage(RuntimeSettings(), self.redis, Metrics())
        self.images, self.renditions = Images(storage), Renditions(storage)
        self.lookups = Lookups(self.redis, self.images, self.renditions)

    async def image(self) -> StoredBlob:
        return await self.images.keep_bytes(b"\x89PNG\r\n\x1a\n, not of a real one", ttl=100)

    async def rendition(self, image: str) -> Blob:
        blob = Blob(key=_key(image), media_type="image/png", bytes=4)
        await self.renditions.keep([NewBlob(blob, b"data", images=[image])], ttl=50)
        return blob


def _key(image: str, pipeline: Pipeline = PIPELINE) -> str:
    return result_key(image, pipeline.model_dump_json())


def lookup_for(image: str, project: str = "default", pipeline: Pipeline = PIPELINE) -> Lookup:
    key = _key(image, pipeline)
    return Lookup(project, (image,), rendition=key, ttl=50, bytes_of=Kind.RENDITION)


def search_for(image: str, project: str = "default", pipeline: Pipeline = PIPELINE) -> FindOrRender:
    lookup = lookup_for(image, project, pipeline)
    return FindOrRender(lookup, _key(image, pipeline), pipeline.model_dump_json())

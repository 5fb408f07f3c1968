"""Images that jobs may name: a job is accepted only with images that are stored."""

from contracts.imaging import Blob
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Blobs, Kind
from services.runtime.storage.parts import Parts


async def store_image(redis: RedisClient, blob: Blob, *, ttl: int = 3600) -> None:
    """Store an image of one byte under the blob's key."""
    await Blobs(redis, Kind.IMAGE).put(Parts.of(b"x"), blob.media_type, key=blob.key, ttl=ttl)

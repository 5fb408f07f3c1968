"""Images that jobs may name: a job is accepted only with images that are stored."""

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import Kind


async def store_image(redis: RedisClient, blob: Blob, *, ttl: int = 3600) -> None:
    """Store an image of one byte under the blob's key."""
    name = keys.blob(Kind.IMAGE, blob.key)
    fields = ("data", b"x", "bytes", 1, "media_type", blob.media_type)
    await redis.transaction([("HSET", name, *fields), ("EXPIRE", name, ttl)])

"""Images that jobs may name: a job is accepted only with images that are stored."""

from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import Kind


async def store_image(
    redis: RedisClient, blob: Blob, *, ttl: int = 3600, project: str | None = None
) -> None:
    """Store an image of one byte under the blob's key, in the default project or another one."""
    name = keys.blob(Kind.IMAGE, blob.key)
    fields = ["data", b"x", "bytes", 1, "media_type", blob.media_type]
    if project is not None:
        fields += ["project", project, "digest", "2" * 64]
    await redis.transaction([("HSET", name, *fields), ("EXPIRE", name, ttl)])

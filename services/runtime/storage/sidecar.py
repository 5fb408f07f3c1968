"""The file beside the bytes of a kept image, from which its record can be made again."""

from typing import Annotated

from pydantic import Field

from contracts.imaging import MediaType
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import DEFAULT_PROJECT, Kind, Place, StoredBlob, path_of
from services.runtime.storage.stores.async_store import AsyncStore

_LARGEST = 64 << 10  # bytes; a label has 255 at most
_SUFFIX = ".json"

Moment = Annotated[int, Field(ge=0, lt=1 << 48)]


class Sidecar(Message):
    """What is known of a kept image."""

    project: str
    media_type: MediaType
    bytes: Annotated[int, Field(ge=0)]
    label: str = ""
    created: Moment
    """Milliseconds since 1970."""
    ends: Moment | None = None
    """Milliseconds since 1970 when the image expires; None for never."""


def sidecar_path(path: str) -> str:
    """Return the path of the sidecar of the bytes at `path`."""
    return path + _SUFFIX


def described_by(path: str) -> str | None:
    """Return the path of the bytes that a sidecar describes; None for a path of another file."""
    return path.removesuffix(_SUFFIX) if path.endswith(_SUFFIX) else None


async def read_sidecar(store: AsyncStore, path: str) -> Sidecar:
    """Return the sidecar of the bytes at `path`. Raises Missing and ValidationError."""
    pieces = store.read(sidecar_path(path), 0, _LARGEST)
    return Sidecar.model_validate_json(b"".join([piece async for piece in pieces]))


async def write_sidecar(redis: RedisClient, store: AsyncStore, stored: StoredBlob) -> None:
    """Write what the record of a kept image says beside its bytes; raises as `AsyncStore`."""
    key = stored.blob.key
    ends = await redis.execute("PEXPIRETIME", keys.blob(Kind.IMAGE, key))
    sidecar = Sidecar(
        project=DEFAULT_PROJECT,
        media_type=stored.blob.media_type,
        bytes=stored.blob.bytes,
        label=stored.label,
        created=stored.created,
        ends=ends if ends > 0 else None,
    )
    path = sidecar_path(path_of(Place.KEPT, key))
    await store.put(path, sidecar.model_dump_json().encode())

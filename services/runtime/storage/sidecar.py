"""The file beside the bytes of a kept image, from which its record can be made again."""

from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.fields import BlobKey
from contracts.imaging import MediaType
from contracts.labels import check_label
from contracts.message import Message
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.records import (
    FIELDS,
    Kind,
    Place,
    path_of,
    stored_from,
)
from services.runtime.storage.stores.async_store import AsyncStore

LARGEST = 64 << 10
"""Bytes of a sidecar that are read; one of this service has 1,200 at most."""

_SUFFIX = ".json"
_MOST_CHANGES = 10  # of an image while its sidecar is written

Moment = Annotated[int, Field(ge=0, lt=1 << 48)]


class Sidecar(Message):
    """The record of a kept image, as it is beside the bytes."""

    project: str
    digest: BlobKey | None = None
    """SHA-256 of the bytes; None where the image has it as its key."""
    media_type: MediaType
    bytes: Annotated[int, Field(ge=0)]
    label: Annotated[str, AfterValidator(check_label)] = ""
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
    pieces = store.read(sidecar_path(path), 0, LARGEST)
    return Sidecar.model_validate_json(b"".join([piece async for piece in pieces]))


async def write_sidecar(redis: RedisClient, store: AsyncStore, key: str, project: str) -> None:
    """Write what the record of a kept image says beside its bytes; raises as `AsyncStore`.

    The record is read again afterwards: of two changes at once, and of a deletion meanwhile, the
    sidecar says what the record says.
    """
    path = sidecar_path(path_of(Place.KEPT, key, project))
    written: Sidecar | None = None
    for _ in range(_MOST_CHANGES):
        sidecar, is_purged = await _described(redis, key)
        if sidecar == written:
            return
        if sidecar is not None:
            await store.put(path, sidecar.model_dump_json(exclude_none=True).encode())
        elif is_purged:  # else Redis may have lost the record: the sidecar brings it back
            await store.delete([path])
        written = sidecar


async def _described(redis: RedisClient, key: str) -> tuple[Sidecar | None, bool]:
    """Return what the record of an image says if it is kept, and whether it was purged."""
    name = keys.blob(Kind.IMAGE, key)
    row, ends, purged = await redis.pipeline(
        [("HMGET", name, *FIELDS), ("PEXPIRETIME", name), ("EXISTS", keys.purged(key))]
    )
    stored = stored_from(Kind.IMAGE, key, row)
    if stored is None or stored.place is not Place.KEPT:
        return None, bool(purged)
    sidecar = Sidecar(
        project=stored.project,
        digest=None if stored.digest == key else stored.digest,
        media_type=stored.blob.media_type,
        bytes=stored.blob.bytes,
        label=stored.label,
        created=stored.created,
        ends=ends if ends > 0 else None,
    )
    return sidecar, bool(purged)

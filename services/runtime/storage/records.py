"""The record of a blob in Redis, as a hash, and the descriptions that are read from it.

A record says where the bytes lie: in a folder of the store (`place`), or, without one, in parts in
the hash itself. `parts.py` has the fields of the parts.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contracts.access.keys import DEFAULT_PROJECT
from contracts.imaging import Blob
from contracts.message import Message

SMALL = (256 << 10) - 64
"""Bytes up to which a blob has one part in Redis, and may stay there."""


class Kind(StrEnum):
    """The two kinds of blobs."""

    IMAGE = "image"
    RENDITION = "rendition"


class Place(StrEnum):
    """The folders of a project in the store. An image is in one of the first two."""

    KEPT = "kept"
    """Images that a client has uploaded to keep them."""
    PASSING = "passing"
    """Images that came with a render or a job; they expire."""
    RENDITIONS = "renditions"


MEDIA_TYPE, SIZE, NOTE = b"media_type", b"bytes", b"note"
DIGEST, PLACE, DAMAGED = b"digest", b"place", b"damaged"
LABEL, CREATED, PROJECT, NO_STORE = b"label", b"created", b"project", b"no_store"

VERDICT = "verdict:"
"""Begins the names of the fields with verdicts; the rest is the capability of the decoders."""

_PATH = re.compile(r"(?P<project>[a-z0-9-]+)/(?P<place>[a-z]+)/../../(?P<key>[0-9a-f]{64})")

FIELDS = (MEDIA_TYPE, SIZE, NOTE, DIGEST, PLACE, DAMAGED, LABEL, CREATED, PROJECT, NO_STORE)
"""The fields that `stored_from` reads, in order."""


@dataclass(frozen=True)
class StoredBlob:
    """A stored blob, as its record describes it."""

    blob: Blob
    note: bytes = b""
    """Description of the image or the rendition, as JSON; empty without one."""
    digest: str = ""
    """The SHA-256 of the bytes; empty for a rendition of an older version."""
    place: Place | None = None
    """Place of the bytes in the store; None if they lie in Redis."""
    damaged: bool = False
    """True if the bytes were found to differ from those that were stored."""
    label: str = ""
    created: int = 0
    """Milliseconds since 1970; 0 for a blob of an older version."""
    project: str = DEFAULT_PROJECT
    no_store: bool = False
    """True if the source forbids caches to keep the image, and no client has stored it besides."""
    life: float = field(default=math.inf, compare=False)
    """Seconds that the record has left, where `Blobs.find` has read it; infinite without an end."""

    @property
    def path(self) -> str:
        """The path of the bytes of a blob that has a place in the store."""
        assert self.place is not None
        return path_of(self.place, self.blob.key, self.project)


@dataclass(frozen=True)
class Judged:
    """An image that is there."""

    stored: StoredBlob
    verdict: bytes | None
    """The verdict of decoders about it, as JSON."""
    data: bytes | None = None
    """Its bytes, if they came along."""


@dataclass(frozen=True)
class NewBlob:
    """A rendition to be stored: its description, its bytes, and a note that is kept beside them.

    `images` are the keys of the images it is made from: it is purged with any of them.
    """

    blob: Blob
    data: bytes
    note: Message | None = None
    images: Sequence[str] = ()


def stored_from(
    kind: Kind, key: str, row: Sequence[bytes | None], *, life: float = math.inf
) -> StoredBlob | None:
    """Return the blob that the values of `FIELDS` describe, or None where there is none."""
    # The order of FIELDS. A dictionary would take a third of the time.
    media_type, size, note, digest, place, damaged, label, created, project, no_store = row
    if media_type is None or size is None:
        return None
    return StoredBlob(
        blob=Blob(key=key, media_type=media_type.decode(), bytes=int(size)),
        note=note or b"",
        digest=digest.decode() if digest else key if kind is Kind.IMAGE else "",
        place=Place(place.decode()) if place else None,
        damaged=bool(damaged),
        label=(label or b"").decode(errors="replace"),
        created=int(created or 0),
        project=project.decode() if project else DEFAULT_PROJECT,
        no_store=bool(no_store),
        life=life,
    )


def record_of(size: int, media_type: str, note: Message | None = None) -> dict[bytes, Any]:
    """Return the fields of a blob beside its parts."""
    fields: dict[bytes, Any] = {MEDIA_TYPE: media_type, SIZE: size}
    return fields if note is None else {**fields, NOTE: note.model_dump_json()}


def image_key(project: str, digest: str) -> str:
    """Return the key of an image: the digest of its bytes, or a digest of project and digest.

    The second one is no SHA-256: else bytes that hash to it could be uploaded to `default`.
    """
    if project == DEFAULT_PROJECT:
        return digest
    return hashlib.blake2b(f"{project}\n{digest}".encode(), digest_size=32).hexdigest()


def path_of(place: Place, key: str, project: str = DEFAULT_PROJECT) -> str:
    """Return the path of a blob's bytes in the store."""
    return f"{project}/{place}/{key[:2]}/{key[2:4]}/{key}"


def blob_at(path: str) -> tuple[str, Place, str] | None:
    """Return the project, the place and the key that a path names; None for another path."""
    match = _PATH.fullmatch(path)
    if match is None or match["place"] not in set(Place):
        return None
    project, place, key = match["project"], Place(match["place"]), match["key"]
    return (project, place, key) if path == path_of(place, key, project) else None


def fields_of(values: Mapping[bytes, Any]) -> list[Any]:
    """Return names and values in turn, as HSET takes them."""
    return [part for pair in values.items() for part in pair]

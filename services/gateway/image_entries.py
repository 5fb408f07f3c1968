"""Kept images as clients see them: after an upload, in the list, and after a change."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import Field
from pydantic_core import from_json

from contracts.fields import BlobKey
from contracts.imaging import MediaType
from contracts.message import Message
from services.runtime.storage.kept import Kept

MAX_TTL = 10 * 366 * 24 * 3600
"""Seconds: the longest life that a client may name."""


class _KeptImage(Message):
    id: BlobKey
    media_type: MediaType
    bytes: Annotated[int, Field(description="Size in bytes.")]
    created: Annotated[datetime, Field(description="When it was uploaded first.")]
    expires: Annotated[
        datetime | None, Field(description="When it expires; null: kept until it is deleted.")
    ]
    label: Annotated[str | None, Field(description="Name for people; null without one.")]

    @classmethod
    def of(cls, kept: Kept, **more: Any) -> Self:
        """Describe a kept image, with the fields that a subclass adds."""
        stored = kept.stored
        return cls(
            id=stored.blob.key,
            media_type=stored.blob.media_type,
            bytes=stored.blob.bytes,
            created=_moment(stored.created),
            expires=None if kept.ends is None else _moment(kept.ends),
            label=stored.label or None,
            **more,
        )


class Uploaded(_KeptImage):
    """An image that is stored under its id."""

    width: Annotated[int, Field(description="Width in pixels, once upright.")]
    height: Annotated[int, Field(description="Height in pixels, once upright.")]


class ListedImage(_KeptImage):
    """An image of the list."""

    width: Annotated[
        int | None,
        Field(description="Width in pixels, once upright; null until the image is inspected."),
    ]
    height: Annotated[int | None, Field(description="Height in pixels; null as the width.")]


def entry_of(kept: Kept) -> ListedImage:
    """Return a kept image as an entry of the list."""
    note = from_json(kept.stored.note) if kept.stored.note else {}
    return ListedImage.of(kept, width=note.get("width"), height=note.get("height"))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

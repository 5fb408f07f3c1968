"""Kept images, as `GET /v1/images` and `POST /v1/images` return them."""

from datetime import datetime

from pydantic import BaseModel


class KeptImage(BaseModel):
    """An image that is stored under its id, which is a digest of its bytes."""

    id: str
    media_type: str
    bytes: int
    width: int | None  # pixels; None until the image is inspected
    height: int | None
    created: datetime
    expires: datetime | None  # None: kept until it is deleted
    label: str | None


class ImagePage(BaseModel):
    """A page of the list, and the address of the next one."""

    images: tuple[KeptImage, ...]
    next: str | None

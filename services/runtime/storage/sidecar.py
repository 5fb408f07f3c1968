"""The file beside the bytes of a kept image, from which its record can be made again."""

from typing import Annotated

from pydantic import Field

from contracts.imaging import MediaType
from contracts.message import Message

_SUFFIX = ".json"


class Sidecar(Message):
    """What is known of a kept image."""

    project: str
    media_type: MediaType
    bytes: Annotated[int, Field(ge=0)]
    label: str = ""
    created: int
    """Milliseconds since 1970."""
    ends: int | None = None
    """Milliseconds since 1970 when the image expires; None for never."""


def sidecar_path(path: str) -> str:
    """Return the path of the sidecar of the bytes at `path`."""
    return path + _SUFFIX


def described_by(path: str) -> str | None:
    """Return the path of the bytes that a sidecar describes; None for a path of another file."""
    return path.removesuffix(_SUFFIX) if path.endswith(_SUFFIX) else None

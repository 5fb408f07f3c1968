"""What an API key may do, and whose images and jobs it sees."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

DEFAULT_PROJECT = "default"
"""The project of everything that no key of another project has stored."""

ProjectName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
        examples=["website"],
        description="Name of a project: up to 32 lower-case letters, digits and hyphens.",
    ),
]


class KeyScope(StrEnum):
    """A permission of an API key."""

    RENDER = "render"
    """Read images and their descriptions, and render them."""
    UPLOAD = "upload"
    """Store, change and delete images."""
    FETCH = "fetch"
    """Name images by URL, object or file of a source."""
    JOBS = "jobs"
    """Submit and cancel jobs."""
    READ_JOBS = "read-jobs"
    """Read jobs, their events and their results."""
    AFRESH = "afresh"
    """Have a stored result rendered again."""
    ADMIN = "admin"
    """Make and revoke keys, and read dead letters and the state of the service."""


EVERY_SCOPE = frozenset(KeyScope)

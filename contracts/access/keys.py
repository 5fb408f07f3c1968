"""Scopes and limits of API keys, and the projects that images and jobs belong to."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator

from contracts.fields import Expected
from contracts.message import Message

DEFAULT_PROJECT = "default"
"""The project of everything that no key of another project has stored."""

ProjectName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$",
        examples=["website"],
        description="Name of a project: up to 32 lower-case letters, digits and hyphens.",
    ),
    Expected("should be up to 32 lower-case letters, digits and hyphens, with no hyphen at an end"),
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


class KeyLimits(Message):
    """The limits of an API key. A field that is left out is as the gateway's settings say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rate_calls": 20, "rate_megapixels": 50}]}
    )

    rate_calls: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="Calls a second, on average."),
    ] = None
    rate_megapixels: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="Megapixels a second, on average."),
    ] = None
    daily_megapixels: Annotated[
        int | None,
        Field(
            ge=0,
            description="Megapixels a day (UTC), beside the limit of the project.",
        ),
    ] = None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_what_is_no_number(cls, value: object) -> object:
        """Refuse `true` and texts, which pydantic would convert. Raises ValueError."""
        if isinstance(value, bool | str):
            raise ValueError("should be a number")
        return value

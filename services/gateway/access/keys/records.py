"""The record of an API key, as Redis keeps it, and as `darkroom keys export` writes it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, PlainSerializer

from contracts.access.keys import KeyLimits, KeyScope, ProjectName
from contracts.fields import Expected
from contracts.labels import Label
from contracts.message import Message

KeyId = Annotated[
    str,
    Field(pattern=r"^[a-z2-7]{10}$", examples=["mzxw6ytboi"], description="The key's id."),
    Expected("should be 10 lower-case letters and digits 2 to 7"),
]
KeyName = Annotated[
    Label,
    Field(
        min_length=1,
        max_length=100,
        description="Name of the key, for people.",
        json_schema_extra={"maxLength": 100},
    ),
]
Digest = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the secret, in hexadecimal."),
    Expected("should be 64 digits and lower-case letters a to f"),
]


def _in_order(scopes: frozenset[KeyScope]) -> list[KeyScope]:
    return [scope for scope in KeyScope if scope in scopes]


def _may_repeat(schema: dict[str, Any]) -> None:
    """Allow what a set allows: a name that is given twice counts once."""
    schema.pop("uniqueItems", None)


Scopes = Annotated[
    frozenset[KeyScope],
    Field(min_length=1, json_schema_extra=_may_repeat, description="What the key may be used for."),
    PlainSerializer(_in_order, return_type=Annotated[list[KeyScope], Field(min_length=1)]),
]


Limits = Annotated[
    KeyLimits | None, Field(description="Limits of the key; null for those of the settings.")
]


class KeyRecord(Message):
    """Stored record of a key, without its secret."""

    id: KeyId
    name: KeyName
    project: ProjectName
    scopes: Scopes
    digest: Digest
    created: Annotated[AwareDatetime, Field(description="When it was made.")]
    expires: Annotated[
        AwareDatetime | None, Field(description="When it ends; null without an end.")
    ] = None
    revoked: Annotated[
        AwareDatetime | None, Field(description="When it was revoked; null for a valid key.")
    ] = None
    limits: Limits = None
    rotated: Annotated[
        AwareDatetime | None, Field(description="When its secret was made; null: with the key.")
    ] = None
    old_digest: Annotated[
        Digest | None, Field(description="SHA-256 of the secret before the last rotation.")
    ] = None
    old_until: Annotated[
        AwareDatetime | None, Field(description="Until when the secret before that counts.")
    ] = None

    @property
    def ends(self) -> datetime | None:
        """Moment at which the key ends or has ended; None without an end."""
        return min((one for one in (self.expires, self.revoked) if one is not None), default=None)

    def counts_at(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired at `now`."""
        return self.revoked is None and (self.expires is None or now < self.expires)

"""The keys with which URLs are signed, from a TOML file: a table for each, by its `kid`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from contracts.access.keys import DEFAULT_PROJECT, ProjectName
from contracts.access.signing import is_key_id, secret_of
from contracts.message import Message
from services.gateway.toml_tables import LineRefused, line_of, parse_table, parse_tables

_MAX_KEYS = 1000
_SECTION = "keys"


class KeyState(StrEnum):
    """State of a signing key: it signs and verifies, verifies only, or neither."""

    ACTIVE = "active"
    """Programs sign with it, and the gateway accepts its signatures."""
    VERIFY_ONLY = "verify-only"
    """No program should sign with it any more; the gateway accepts its signatures."""
    REVOKED = "revoked"
    """The gateway refuses its signatures."""


def _check_secret(text: str) -> str:
    secret_of(text)
    return text


class _KeyTable(Message):
    """A table of the file."""

    secret: Annotated[str, AfterValidator(_check_secret)]
    project: ProjectName = DEFAULT_PROJECT
    state: KeyState = KeyState.ACTIVE


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with which URLs are signed."""

    kid: str
    project: str
    secret: bytes = field(repr=False)
    state: KeyState


SigningKeys = Mapping[str, SigningKey]


def parse_signing_keys(text: str) -> SigningKeys:
    """Return the keys of a file, by their `kid`. Raises LineRefused, which repeats no secret."""
    tables = parse_tables(text, _SECTION)
    if len(tables) > _MAX_KEYS:
        raise LineRefused(line_of(text, (_SECTION,)), f"a file has {_MAX_KEYS} keys at most")
    keys = {}
    for kid, table in tables.items():
        place = (_SECTION, kid)
        if not is_key_id(kid):
            reason = f"{kid[:40]!r} is no name of a key: 64 letters, digits and `._-` at most"
            raise LineRefused(line_of(text, place), reason)
        parsed = parse_table(text, place, table, _KeyTable)
        keys[kid] = SigningKey(kid, parsed.project, secret_of(parsed.secret), parsed.state)
    return keys

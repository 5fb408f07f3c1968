"""Base class of every message."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A message: immutable, and invalid if it has an unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

"""What every message of the suite has in common: it never changes, and it holds nothing unknown."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A message as it travels: frozen, and a field it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

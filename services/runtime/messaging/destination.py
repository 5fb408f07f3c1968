"""An address in Redis and the command that puts a message there."""

from dataclasses import dataclass
from typing import Any

from contracts.methods import Transport

DATA_FIELD = "__data__"
"""The field of a stream entry that holds the message's envelope; FastStream reads the same one."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination of a message; a stream is trimmed to about `maxlen` entries, if that is given."""

    transport: Transport
    address: str
    maxlen: int | None = None

    def command(self, data: bytes) -> tuple[Any, ...]:
        """Return the command that publishes `data`, which is a message in its envelope."""
        match self.transport:
            case Transport.CHANNEL:
                return "PUBLISH", self.address, data
            case Transport.LIST:
                return "RPUSH", self.address, data
            case Transport.STREAM:
                trim = () if self.maxlen is None else ("MAXLEN", "~", self.maxlen)
                return "XADD", self.address, *trim, "*", DATA_FIELD, data

"""An address in Redis and the command that puts a message there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from contracts.methods import Transport
from services.runtime.redis.connection import packed_start, packed_with
from services.runtime.redis.scripts import Script

DATA_FIELD = "__data__"
"""The field of a stream entry that holds the message's envelope; FastStream reads the same one."""


class Search(Protocol):
    """A search in Redis that may make a request needless; the same script sends the request."""

    def script(
        self, names: Sequence[str], arguments: Sequence[Any]
    ) -> tuple[Script, Sequence[str], Sequence[Any]]:
        """Return script, keys and arguments that search, and send the request if need be.

        `names` and `arguments` are the keys and arguments of push_if_served.lua.
        """

    def take(self, answer: Any) -> bool:
        """Take what the script returns; return whether the request was sent.

        It is called where replies of Redis arrive, so records are read later.
        """


@dataclass(frozen=True)
class Destination:
    """Destination of a message; a stream is trimmed to about `maxlen` entries, if that is given.

    A request to a list or a stream may be sent by the script of a `search`.
    """

    transport: Transport
    address: str
    maxlen: int | None = None
    search: Search | None = None

    def packed(self, data: bytes) -> bytes:
        """Return the encoded command that publishes `data`, which is a message in its envelope.

        Raises UnicodeEncodeError for an address that can't be encoded.
        """
        return packed_with(self._start, data)

    @cached_property
    def _start(self) -> bytes:
        match self.transport:
            case Transport.CHANNEL:
                return packed_start("PUBLISH", self.address)
            case Transport.LIST:
                return packed_start("RPUSH", self.address)
            case Transport.STREAM:
                trim = () if self.maxlen is None else ("MAXLEN", "~", self.maxlen)
                return packed_start("XADD", self.address, *trim, "*", DATA_FIELD)

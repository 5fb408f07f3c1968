"""Control messages of a process: read, and given to the handler of their kind."""

from collections.abc import Callable
from typing import Any, TypeVar

from faststream.redis import RedisMessage
from pydantic import ValidationError

from contracts.control import Control
from contracts.message import Message

KindT = TypeVar("KindT", bound=Message)


def read_control(body: bytes) -> Message | None:
    """Return a control message; None for one of a kind that this version does not know.

    Newer versions may send such messages while a suite is upgraded.
    """
    try:
        return Control.model_validate_json(body).root
    except ValidationError:
        return None


class ControlHandlers:
    """The handler of each kind of control messages; other kinds are ignored."""

    def __init__(self) -> None:
        self._handlers: dict[type[Message], Callable[[Any], None]] = {}

    def add(self, kind: type[KindT], handle: Callable[[KindT], None]) -> None:
        """Have the messages of one kind handled."""
        self._handlers[kind] = handle

    async def handle(self, message: RedisMessage) -> None:
        """Handle a message."""
        control = read_control(message.body)
        if control is not None and (handle := self._handlers.get(type(control))) is not None:
            handle(control)

"""The command that publishes a message is Redis's own encoding, though its beginning is kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.methods import Transport
from services.runtime.messaging.destination import Destination
from services.runtime.redis.connection import packed

COMMANDS: list[tuple[Destination, tuple[Any, ...]]] = [
    (Destination(Transport.CHANNEL, "räume"), ("PUBLISH", "räume")),
    (Destination(Transport.LIST, "work:list"), ("RPUSH", "work:list")),
    (Destination(Transport.STREAM, "work:stream"), ("XADD", "work:stream", "*", "__data__")),
    (
        Destination(Transport.STREAM, "work:stream", 500),
        ("XADD", "work:stream", "MAXLEN", "~", 500, "*", "__data__"),
    ),
]


@pytest.mark.parametrize(("destination", "command"), COMMANDS)
@given(first=st.binary(max_size=30), second=st.binary())
def test_each_message_is_the_last_argument_of_the_command(
    destination: Destination, command: tuple[Any, ...], first: bytes, second: bytes
) -> None:
    for data in (first, second, b"$0\r\n\r\n"):
        assert destination.packed(data) == packed(*command, data)


def test_an_address_that_cannot_be_encoded_is_refused_each_time() -> None:
    destination = Destination(Transport.LIST, "\ud800")
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            destination.packed(b"")

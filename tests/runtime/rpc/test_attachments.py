"""Attachments: bytes at the end of a body, as many as a header says."""

import pytest

from services.runtime.rpc.attachments import ATTACH_UP_TO, ATTACHED, split, taken_up_to


@pytest.mark.parametrize(
    ("number", "attached"),
    [("3", b"xyz"), ("0", b""), ("8", b'{"a":xyz'), ("9", b""), ("-3", b""), ("many", b"")],
)
def test_a_body_ends_with_as_many_bytes_as_its_header_says(number: str, attached: bytes) -> None:
    body = b'{"a":xyz'
    text, found = split(body, {ATTACHED: number})
    assert found == attached
    assert text + found == body


@pytest.mark.parametrize("headers", [{}, {ATTACH_UP_TO: "x"}, {ATTACH_UP_TO: "1" * 10}])
def test_a_caller_that_does_not_ask_for_bytes_gets_none(headers: dict[str, str]) -> None:
    assert taken_up_to(headers) == 0
    assert taken_up_to({ATTACH_UP_TO: "65536"}) == 65536

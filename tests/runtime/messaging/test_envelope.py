"""Our envelope has the bytes of FastStream's binary format."""

from typing import Any

import pytest
from faststream.redis.parser import BinaryMessageFormatV1
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidRequest
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.messaging.envelope import body_of, new_correlation_id, pack, pack_json

ASCII = st.text(st.characters(max_codepoint=127), max_size=40)
HEADERS = st.dictionaries(ASCII, ASCII, max_size=6)


async def both(headers: dict[str, str], body: bytes) -> tuple[bytes, bytes]:
    message: Any = {
        "message": body,
        "reply_to": "inbox",
        "headers": headers,
        "correlation_id": "one",
    }
    return await Envelope.encode(**message), await BinaryMessageFormatV1.encode(**message)


@given(headers=HEADERS, body=st.binary(max_size=200))
async def test_envelopes_are_those_of_faststream_byte_for_byte(
    headers: dict[str, str], body: bytes
) -> None:
    ours, theirs = await both(headers, body)
    assert ours == theirs
    assert Envelope.parse(theirs) == BinaryMessageFormatV1.parse(ours)
    assert Envelope.parse(ours)[0] == body


async def test_a_header_beyond_ascii_survives() -> None:
    ours, theirs = await both({"x-name": "Müller 写真"}, b"body")
    assert Envelope.parse(ours)[1]["x-name"] == "Müller 写真"
    assert BinaryMessageFormatV1.parse(ours)[1]["x-name"] == "Müller 写真"
    assert BinaryMessageFormatV1.parse(theirs)[1].get("x-name") != "Müller 写真"


@given(data=st.binary(max_size=100), cut=st.integers(0, 100))
async def test_any_bytes_can_be_parsed(data: bytes, cut: int) -> None:
    ours, _ = await both({"a": "b"}, data)
    for damaged in (data, ours[:cut], ours[:cut] + data):
        body, headers = Envelope.parse(damaged)
        assert isinstance(body, bytes)
        assert isinstance(headers, dict)
        assert isinstance(body_of(damaged), bytes)
    assert body_of(ours) == data


NAMES = ASCII | st.sampled_from(["correlation_id", "content-type"])


@given(headers=st.dictionaries(NAMES, st.text(max_size=40), max_size=4), body=st.binary())
@pytest.mark.parametrize("correlation_id", ["", "one", "Müller", "x" * 300])
def test_a_message_in_json_is_packed_like_any_other(
    headers: dict[str, str], body: bytes, correlation_id: str
) -> None:
    always = {"correlation_id": correlation_id, "content-type": "application/json"}
    assert pack_json(body, correlation_id, headers) == pack(body, {**always, **headers})


@pytest.mark.parametrize("value", ["x" * 65_536, "\ud800", 7])
def test_a_value_that_fits_no_header_is_refused_as_correlation_id_and_as_header(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        pack_json(b"{}", value)
    with pytest.raises(InvalidRequest):
        pack_json(b"{}", "one", {"x-name": value})


def test_correlation_ids_differ() -> None:
    assert len({new_correlation_id() for _ in range(1000)}) == 1000

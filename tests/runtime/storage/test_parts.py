"""Bytes in parts, however they arrive."""

import tracemalloc
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.storage import parts
from services.runtime.storage.parts import PART, Parts

SIZES = st.lists(
    st.sampled_from([1, 1000, 4095, 4096, 65_536, PART - 1, PART, PART + 1, 2 * PART + 7])
)


@given(sizes=SIZES)
def test_pieces_of_any_size_make_parts_of_one_size(sizes: list[int]) -> None:
    received, sent = Parts(), b""
    for number, size in enumerate(sizes):
        piece = bytes([number % 256]) * size
        received.add(piece)
        sent += piece

    made = list(received.all())

    assert b"".join(made) == sent
    assert [len(part) for part in made[:-1]] == [PART] * (len(made) - 1)
    assert (received.size, received.digest) == (len(sent), sha256(sent).hexdigest())
    assert list(received.all()) == made


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 3 * PART])
def test_parts_in_a_hash_are_joined_to_what_was_split(size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    fields = {parts.field(n): bytes(part) for n, part in enumerate(parts.split(data))}

    assert parts.joined(fields, size) == data


def test_a_hash_without_one_of_its_parts_has_no_bytes() -> None:
    data = bytes(3 * PART)
    fields = {parts.field(n): bytes(part) for n, part in enumerate(parts.split(data))}

    for missing in fields:
        rest = {name: part for name, part in fields.items() if name != missing}
        assert parts.joined(rest, len(data)) is None
    assert parts.joined(fields, len(data) - 1) is None


def test_single_bytes_take_no_more_memory_than_large_pieces() -> None:
    received, size = Parts(), 100_000
    tracemalloc.start()
    for number in range(size):
        received.add(bytes([number % 256]))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken < 2 * size
    assert b"".join(received.all()) == bytes(n % 256 for n in range(size))


def test_cleared_parts_hold_nothing() -> None:
    received = Parts.of(bytes(2 * PART + 1))

    received.clear()

    assert list(received.all()) == []

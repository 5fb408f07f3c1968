"""Sizes of frames from headers of AV1, put together from their bits."""

import pytest

from contracts.operations.sizes import Size
from services.imaging.engine.formats.avif.av1 import frame_sizes, units

Field = tuple[int, int]
"""A value and its number of bits."""


def unit(kind: int, *fields: Field) -> bytes:
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return bytes([kind << 3 | 2, len(body)]) + body


def sequence(*, model: bool = False, ids: bool = False, order: bool = True) -> bytes:
    """A sequence header of 64 x 48, whose frames may tell sizes of 16 bits."""
    timing: list[Field] = [(0, 1)]
    point: list[Field] = [(0, 12), (8, 5), (0, 1)]
    if model:
        # A tick of 1, no equal intervals; delays of 10 bits, removal of 6 and presentation of 7.
        timing = [(1, 1), (1, 32), (1, 32), (0, 1), (1, 1), (9, 5), (1, 32), (5, 5), (6, 5)]
        point += [(1, 1), (3, 10), (3, 10), (0, 1)]
    return unit(
        1,
        *((0, 3), (0, 1), (0, 1)),
        *timing,
        *((0, 1), (0, 5)),
        *point,
        *((15, 4), (15, 4), (63, 16), (47, 16)),
        *([(1, 1), (2, 4), (1, 3)] if ids else [(0, 1)]),
        (0, 7),
        *([(1, 1), (0, 2)] if order else [(0, 1)]),
        *((1, 1), (1, 1)),
        *([(6, 3)] if order else []),
        (0, 64),
    )


def key_frame(*, model: bool, ids: bool, order: bool) -> bytes:
    """A shown key frame that tells a size of its own, 30,000 x 20,000."""
    return unit(
        6,
        *((0, 1), (0, 2), (1, 1)),
        *([(5, 7)] if model else []),
        *((0, 1), (1, 1), (1, 1)),  # with tools for screen content, and whole motion
        *([(3, 6)] if ids else []),
        (1, 1),
        *([(9, 7)] if order else []),
        *([(1, 1), (3, 6)] if model else []),
        *((29_999, 16), (19_999, 16), (0, 32)),
    )


def inter_frame(*, found: bool) -> bytes:
    """A frame that has the size of a reference, or one of its own."""
    size: list[Field] = [(1, 1)] if found else [(0, 7), (29_999, 16), (19_999, 16)]
    return unit(
        6,
        *((0, 1), (1, 2), (1, 1), (0, 1), (0, 1), (0, 1)),
        *((1, 1), (9, 7), (0, 3), (0, 8)),
        *((0, 1), (0, 21)),
        *size,
        (0, 32),
    )


def sizes(*parts: bytes) -> list[Size]:
    return list(frame_sizes(units(b"".join(parts))))


@pytest.mark.parametrize("model", [False, True])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("order", [False, True])
def test_a_key_frame_may_tell_a_size_of_its_own(model: bool, ids: bool, order: bool) -> None:
    header = sequence(model=model, ids=ids, order=order)

    found = sizes(header, key_frame(model=model, ids=ids, order=order))

    assert found == [(64, 48), (30_000, 20_000)]


def test_a_frame_may_have_the_size_of_a_reference_or_its_own() -> None:
    assert sizes(sequence(), inter_frame(found=True)) == [(64, 48)]
    assert sizes(sequence(), inter_frame(found=False)) == [(64, 48), (30_000, 20_000)]


def test_units_end_at_a_broken_one() -> None:
    assert sizes(b"\x0a\xff\xff\x7f" + sequence()) == []
    assert sizes(sequence(), b"\x32") == [(64, 48)]
    assert sizes(b"\x12\0\x0a") == [(1, 1)]

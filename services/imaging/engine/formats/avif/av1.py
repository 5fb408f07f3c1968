"""The sizes of the frames of an AV1 stream, from its headers (AV1 Bitstream & Decoding Process, 5).

No pixel is decoded. Only the fields up to the size of a frame are read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts.operations.sizes import Size

Bytes = bytes | memoryview

_SEQUENCE_HEADER = 1
_FRAME_HEADERS = (3, 6, 7)  # OBU_FRAME_HEADER, OBU_FRAME, OBU_REDUNDANT_FRAME_HEADER
_HEAD = 512  # bytes of a header that are read: 32 operating points take 370

_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # types of frames
_CHOSEN_BY_FRAME = 2  # value of a sequence's tool


class _Bits:
    """Reader of a header's bits; those after the end are 0, as for the decoder."""

    def __init__(self, head: Bytes) -> None:
        self._value = int.from_bytes(bytes(head[:_HEAD]).ljust(_HEAD, b"\0"), "big")
        self._left = 8 * _HEAD

    def __call__(self, count: int = 1) -> int:
        self._left = max(0, self._left - count)
        return self._value >> self._left & (1 << count) - 1

    def skip_code(self) -> None:
        """Skip a number in `uvlc()`, a code of variable length (4.10.3)."""
        zeros = 0
        while not self() and zeros < 32:
            zeros += 1
        self(zeros)


@dataclass
class _Sequence:
    """The fields of a sequence header that the size of a frame depends on (5.5)."""

    width_bits: int = 0
    height_bits: int = 0
    size: Size = (0, 0)
    reduced: bool = False
    decoder_model: bool = False
    timed: bool = False  # each frame has a time of presentation
    delay_bits: int = 0  # of a decoder model
    removal_bits: int = 0
    presentation_bits: int = 0
    points: tuple[tuple[int, bool], ...] = ()  # operating points: layers, with a decoder model
    id_bits: int = 0
    id_difference_bits: int = 0
    order_bits: int = 0
    screen_content: int = _CHOSEN_BY_FRAME
    integer_motion: int = _CHOSEN_BY_FRAME


def frame_sizes(stream: Iterable[tuple[int, int, Bytes]]) -> Iterator[Size]:
    """Yield the size of each sequence header and of each frame that has another, of `units`."""
    sequence: _Sequence | None = None
    for kind, layers, head in stream:
        if kind == _SEQUENCE_HEADER:
            sequence = _sequence(_Bits(head))
            yield sequence.size
        elif kind in _FRAME_HEADERS and sequence and not sequence.reduced:
            size = _own_size(_Bits(head), sequence, layers)
            if size:
                yield size


def units(data: Bytes) -> Iterator[tuple[int, int, Bytes]]:
    """Yield the type, the layers and the content of each OBU (5.3), up to a broken one.

    The layers are two bits, those of the unit's temporal and spatial layer in an operating point.
    """
    at, end = 0, len(data)
    while at < end:
        head = data[at]
        at += 1
        layers = 0b1_0000_0001
        if head & 4 and at < end:
            layers = 1 << (data[at] >> 5) | 1 << 8 + (data[at] >> 3 & 3)
            at += 1
        after = end
        if head & 2:
            size = shift = 0
            while at < end:
                byte = data[at]
                size |= (byte & 127) << shift
                at, shift = at + 1, shift + 7
                if byte < 128 or shift == 56:
                    break
            after = at + size
        if after > end:
            return
        yield head >> 3 & 15, layers, data[at : min(after, at + _HEAD)]
        at = after


def _sequence(bits: _Bits) -> _Sequence:
    found = _Sequence()
    bits(4)  # profile, and whether it is a still picture
    found.reduced = bool(bits())
    if found.reduced:
        bits(5)
    else:
        _timing(bits, found)
        _operating_points(bits, found)
    found.width_bits, found.height_bits = bits(4) + 1, bits(4) + 1
    found.size = bits(found.width_bits) + 1, bits(found.height_bits) + 1
    if not found.reduced:
        _tools(bits, found)
    return found


def _timing(bits: _Bits, found: _Sequence) -> None:
    if not bits():
        return
    bits(64)
    found.timed = not bits()
    if not found.timed:
        bits.skip_code()
    found.decoder_model = bool(bits())
    if found.decoder_model:
        found.delay_bits = bits(5) + 1
        bits(32)
        found.removal_bits, found.presentation_bits = bits(5) + 1, bits(5) + 1


def _operating_points(bits: _Bits, found: _Sequence) -> None:
    has_display_delay = bits()
    points = []
    for _ in range(bits(5) + 1):
        layers, has_model = bits(12), False
        level = bits(5)
        if level > 7:
            bits()  # tier
        if found.decoder_model and (has_model := bool(bits())):
            bits(2 * found.delay_bits + 1)
        if has_display_delay and bits():
            bits(4)
        points.append((layers, has_model))
    found.points = tuple(points)


def _tools(bits: _Bits, found: _Sequence) -> None:
    if bits():
        found.id_difference_bits = bits(4) + 2
        found.id_bits = bits(3) + found.id_difference_bits + 1
    bits(7)  # from the size of superblocks to dual filters
    has_order = bits()
    if has_order:
        bits(2)
    found.screen_content = _CHOSEN_BY_FRAME if bits() else bits()
    if found.screen_content:
        found.integer_motion = _CHOSEN_BY_FRAME if bits() else bits()
    if has_order:
        found.order_bits = bits(3) + 1


def _own_size(bits: _Bits, sequence: _Sequence, layers: int) -> Size | None:
    """Return the size that a frame's header gives (5.9.2); None for a size known already."""
    if bits():
        return None  # shows a frame that was decoded before
    kind, is_shown = bits(2), bits()
    if is_shown and sequence.decoder_model and sequence.timed:
        bits(sequence.presentation_bits)
    if not is_shown:
        bits()  # whether it may be shown later
    is_shown_key = kind == _KEY and is_shown
    is_resilient = bool(is_shown_key or kind == _SWITCH or bits())
    bits()
    screen_content = sequence.screen_content
    if screen_content == _CHOSEN_BY_FRAME:
        screen_content = bits()
    if screen_content and sequence.integer_motion == _CHOSEN_BY_FRAME:
        bits()
    bits(sequence.id_bits)
    if kind != _SWITCH and not bits():
        return None  # the size of the sequence
    is_intra = kind in (_KEY, _INTRA_ONLY)
    bits(sequence.order_bits)
    if not is_resilient and not is_intra:
        bits(3)
    if sequence.decoder_model and bits():
        for point, has_model in sequence.points:
            if has_model and (not point or layers & point == layers):
                bits(sequence.removal_bits)
    refreshed = 255 if kind == _SWITCH or is_shown_key else bits(8)
    if is_resilient and sequence.order_bits and not (is_intra and refreshed == 255):
        bits(8 * sequence.order_bits)
    if not is_intra and _has_size_of_reference(bits, sequence, is_resilient):
        return None
    return bits(sequence.width_bits) + 1, bits(sequence.height_bits) + 1


def _has_size_of_reference(bits: _Bits, sequence: _Sequence, is_resilient: bool) -> bool:
    is_short = sequence.order_bits and bits()
    if is_short:
        bits(6)
    for _ in range(7):
        if not is_short:
            bits(3)
        bits(sequence.id_difference_bits)
    return not is_resilient and any(bits() for _ in range(7))

"""How often an AVIF is played, which Pillow does not tell: its first track lasts as often as its
edits, if these are repeated (ISO/IEC 14496-12:2022, 4.2, 8.3.2 and 8.6.6).
"""

_MOST_BOXES = 100  # of a box that are looked at: a film has a handful
_REPEATED = 1  # a flag

_Span = tuple[int, int]


def plays(data: bytes) -> int:
    """How often; 0 is for ever, and where nothing is said of it."""
    whole = (0, len(data))
    header = _content(data, whole, b"moov", b"trak", b"tkhd")
    edits = _content(data, whole, b"moov", b"trak", b"edts", b"elst")
    if header is None or edits is None:
        return 0
    if not data[edits[0] + 3 : edits[0] + 4] or not data[edits[0] + 3] & _REPEATED:
        return 1
    # Behind two times and two numbers here, and behind a number there.
    lasts, for_ever = _duration(data, header, behind=(20, 28))
    once, _ = _duration(data, edits, behind=(8, 8))
    return 0 if lasts == for_ever or not once else -(-lasts // once)


def _duration(data: bytes, span: _Span, *, behind: tuple[int, int]) -> tuple[int, int]:
    """A duration of four bytes, or of eight in version 1; and what says for ever."""
    is_long = data[span[0] : span[0] + 1] == b"\1"
    size, at = 8 if is_long else 4, span[0] + behind[is_long]
    return int.from_bytes(data[at : min(at + size, span[1])], "big"), (1 << 8 * size) - 1


def _content(data: bytes, span: _Span, *kinds: bytes) -> _Span | None:
    """Where the content of the first box of a kind is, within the first of another, and so on."""
    found: _Span | None = span
    for kind in kinds:
        found = found and _box(data, found, kind)
    return found


def _box(data: bytes, span: _Span, kind: bytes) -> _Span | None:
    at, end = span
    for _ in range(_MOST_BOXES):
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        # 0 is a box up to the end.
        after = at + size if size else end
        if at + head > after or after > end:
            break
        if data[at + 4 : at + 8] == kind:
            return at + head, after
        at = after
    return None

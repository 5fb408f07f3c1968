"""The colours of an AVIF or a HEIF without an ICC profile, from its boxes.

ISO/IEC 14496-12:2022, 12.1.5 (`colr`); ISO/IEC 23008-12:2022, 9.3 (properties of an item).
"""

import struct
from collections.abc import Iterator

from services.imaging.engine.formats.boxes import Span, boxes, content
from services.imaging.engine.raster.colour_spaces import PRIMARIES
from services.imaging.engine.raster.colours import SRGB, Colours, by_code_points

_UNSPECIFIED = 2  # a code point
_BT_709, _SRGB = 1, 13

_SAMPLE_ENTRY = 78  # bytes before the boxes of a visual sample entry (12.1.3)
_MAX_ITEMS = 10_000
_LARGE_INDEX = 1  # flag of `ipma`


def colours(data: bytes) -> Colours:
    """Return the colours that the `colr` box of code points tells; sRGB if there is none."""
    code_points: tuple[int, int] | None = None
    peaks: dict[bytes, float] = {}
    for kind, span in _properties(data):
        body = data[span[0] : min(span[1], span[0] + 24)]
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            code_points = struct.unpack(">HH", body[4:8])
        elif kind == b"clli" and len(body) >= 2:
            peaks[kind] = int.from_bytes(body[:2], "big")
        elif kind == b"mdcv" and len(body) == 24:
            peaks[kind] = int.from_bytes(body[16:20], "big") / 10_000
    if code_points is None:
        return SRGB
    primaries, transfer = code_points
    found = by_code_points(
        primaries if primaries in PRIMARIES else _BT_709,
        _SRGB if transfer == _UNSPECIFIED else transfer,
        peaks.get(b"clli") or peaks.get(b"mdcv"),
    )
    return SRGB if found is None else found


def _properties(data: bytes) -> Iterator[tuple[bytes, Span]]:
    """Yield the properties of the image sequence, or else of the primary image."""
    whole = (0, len(data))
    path = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    if data[8:12] == b"avis" and (table := content(data, whole, *path)):
        # The table has 8 bytes before its entries.
        for _, (start, end) in boxes(data, (table[0] + 8, table[1])):
            yield from boxes(data, (start + _SAMPLE_ENTRY, end))
            return
    meta = content(data, whole, b"meta")
    if meta is None:
        return
    # After version and flags. The first box of each type counts.
    inner = dict(reversed([*boxes(data, (meta[0] + 4, meta[1]))]))
    if b"pitm" not in inner or b"iprp" not in inner:
        return
    primary, parts = inner[b"pitm"], dict(reversed([*boxes(data, inner[b"iprp"])]))
    if b"ipco" not in parts or b"ipma" not in parts:
        return
    properties = list(boxes(data, parts[b"ipco"]))
    is_long = data[primary[0]] > 0
    item = int.from_bytes(data[primary[0] + 4 : primary[0] + (8 if is_long else 6)], "big")
    for index in _indices(data[slice(*parts[b"ipma"])], item):
        if 1 <= index <= len(properties):
            yield properties[index - 1]


def _indices(body: bytes, item: int) -> list[int]:
    """Return the properties of an item, by an `ipma` box: numbers from 1."""
    if len(body) < 8:
        return []
    id_size = 4 if body[0] else 2
    index_size = 2 if body[3] & _LARGE_INDEX else 1
    at = 8
    for _ in range(min(int.from_bytes(body[4:8], "big"), _MAX_ITEMS)):
        found = int.from_bytes(body[at : at + id_size], "big")
        at += id_size
        count = int.from_bytes(body[at : at + 1], "big")
        listed = body[at + 1 : at + 1 + count * index_size]
        if found == item:
            # The highest bit says whether the property is essential.
            mask = (1 << (8 * index_size - 1)) - 1
            return [
                int.from_bytes(listed[start : start + index_size], "big") & mask
                for start in range(0, len(listed), index_size)
            ]
        at += 1 + count * index_size
    return []

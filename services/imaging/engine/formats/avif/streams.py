"""The AV1 streams that are decoded for an AVIF, found by its boxes.

ISO/IEC 14496-12:2022, 8.7 (samples of a track), 8.11 (items); ISO/IEC 23008-12:2022, 6.6, 9.3.
A stream that libavif finds is found here as well, or ImageUnreadable is raised: libavif reads the
first box of each type, and refuses files that have a second one of those below.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.operations.sizes import Size
from services.imaging.engine.formats.boxes import Span, boxes

_MAX_ENTRIES = 10_000  # boxes in a box, items, extents, samples: real files have a few hundred
_MAX_TRACKS = 10  # colours, alpha, depth and sound

_SAMPLE_TABLE = (b"mdia", b"minf", b"stbl")
_DERIVES, _IS_AUXILIARY = b"dimg", b"auxl"


@dataclass(frozen=True)
class Stream:
    """Bytes of AV1 that one decoder reads in turn; a grid of tiles has none of its own."""

    parts: list[memoryview]
    claimed: Size | None = None  # of an item, by its `ispe`
    output: Size | None = None  # of a grid
    may_be_tile: bool = False


class _Fields:
    """Reader of a box's numbers. Raises ImageUnreadable at the end of the box."""

    def __init__(self, data: bytes, span: Span) -> None:
        self._data = data
        self._at, self._end = span

    def __call__(self, size: int) -> int:
        at = self._at
        self._at += size
        if self._at > self._end:
            raise unreadable()
        return int.from_bytes(self._data[at : self._at], "big")

    def is_at_end(self) -> bool:
        """Return whether the whole box is read."""
        return self._at == self._end

    def count(self, size: int) -> int:
        """Read how many entries follow. Raises ImageTooBig."""
        return _checked(self(size))


def unreadable() -> ImageUnreadable:
    """Return the error of boxes that cannot be followed."""
    return ImageUnreadable("The boxes of the AVIF are damaged or contradict one another.")


def streams(data: bytes) -> Iterator[Stream]:
    """Yield the streams of an AVIF that libavif has opened.

    Raises ImageUnreadable and ImageTooBig.
    """
    top, brand = _first(data, (0, len(data))), data[8:12]
    # Under another brand libavif shows one or the other, by the order of the boxes as well.
    if brand != b"avif" and b"moov" in top:
        tracks = [span for kind, span in _listed(data, top[b"moov"]) if kind == b"trak"]
        if len(tracks) > _MAX_TRACKS:
            raise ImageTooBig(f"The AVIF has {len(tracks):,} tracks; {_MAX_TRACKS} are read.")
        for track in tracks:
            yield from _samples(data, track)
    if brand != b"avis" and b"meta" in top:
        yield from _items(data, top[b"meta"])


def _checked(count: int) -> int:
    if count > _MAX_ENTRIES:
        raise ImageTooBig(f"The AVIF has {count:,} entries in a box; {_MAX_ENTRIES:,} are read.")
    return count


def _listed(data: bytes, span: Span) -> list[tuple[bytes, Span]]:
    found = list(boxes(data, span, most=_MAX_ENTRIES + 1))
    _checked(len(found))
    return found


def _first(data: bytes, span: Span) -> dict[bytes, Span]:
    return dict(reversed(_listed(data, span)))


def _within(data: bytes, span: Span, *path: bytes) -> Span:
    for kind in path:
        found = _first(data, span).get(kind)
        if found is None:
            raise unreadable()
        span = found
    return span


def _part(data: bytes, at: int, size: int) -> memoryview:
    if at + size > len(data):
        raise unreadable()
    return memoryview(data)[at : at + size]


def _samples(data: bytes, track: Span) -> Iterator[Stream]:
    table = _within(data, track, *_SAMPLE_TABLE)
    listed = _listed(data, table)
    inner = dict(listed)
    tables = [kind for kind, _ in listed if kind in (b"stsd", b"stsz", b"stsc", b"stco", b"co64")]
    if len(tables) != 4 or not {b"stsd", b"stsz", b"stsc"} <= inner.keys():
        raise unreadable()
    described = inner[b"stsd"]
    kinds = [kind for kind, _ in _listed(data, (described[0] + 8, described[1]))]
    if b"av01" not in kinds:
        return
    sizes = _Fields(data, inner[b"stsz"])
    sizes(4)
    same = sizes(4)
    sizes(4)
    offset_size = 8 if b"co64" in inner else 4
    offsets = _Fields(data, inner[b"co64" if offset_size == 8 else b"stco"])
    offsets(4)
    chunks = [offsets(offset_size) for _ in range(offsets.count(4))]
    parts: list[memoryview] = []
    for at, samples in zip(chunks, _samples_of_chunks(data, inner[b"stsc"]), strict=False):
        _checked(len(parts) + samples)
        for _ in range(samples):
            size = same or sizes(4)
            parts.append(_part(data, at, size))
            at += size
    yield Stream(parts)


def _samples_of_chunks(data: bytes, span: Span) -> Iterator[int]:
    """Yield the number of samples of each chunk; the last number is repeated for ever."""
    fields = _Fields(data, span)
    fields(4)
    runs = []
    for _ in range(fields.count(4)):
        runs.append((fields(4), fields(4)))
        fields(4)
    starts = [start for start, _ in runs]
    if not runs or starts != sorted(set(starts)) or starts[0] != 1:
        raise unreadable()
    chunk = 1
    for (_, samples), (until, _) in pairwise(runs):
        while chunk < until:
            yield samples
            chunk += 1
    while True:
        yield runs[-1][1]


def _items(data: bytes, meta: Span) -> Iterator[Stream]:
    inner = _first(data, (meta[0] + 4, meta[1]))
    if not {b"pitm", b"iinf", b"iloc", b"iprp"} <= inner.keys():
        raise unreadable()
    kinds = _kinds(data, inner[b"iinf"])
    decoded = _primary_and_related(data, inner, kinds)
    claims = _claims(data, inner[b"iprp"])
    extents = _extents(data, inner[b"iloc"], inner.get(b"idat"))
    has_grid = any(kinds.get(item) == b"grid" for item in decoded)
    joined = 0
    for item in decoded:
        kind = kinds.get(item)
        if kind not in (b"av01", b"grid"):
            continue
        if item not in claims or item not in extents:
            raise unreadable()
        parts = [_part(data, at, size) for at, size in extents[item]]
        if len(parts) > 1:
            # An OBU may lie in two extents.
            joined += sum(map(len, parts))
            if joined > len(data):
                raise unreadable()
            parts = [memoryview(b"".join(parts))]
        if kind == b"grid":
            yield Stream([], claims[item], output=_output(parts[0]) if parts else None)
        else:
            yield Stream(parts, claims[item], may_be_tile=has_grid)


def _output(grid: memoryview) -> Size:
    """Return the size of an image of tiles (ISO/IEC 23008-12, 6.6.2.3)."""
    fields = _Fields(bytes(grid[:12]), (0, min(12, len(grid))))
    size = 4 if fields(4) >> 16 & 1 else 2
    return fields(size), fields(size)


def _kinds(data: bytes, span: Span) -> dict[int, bytes]:
    """Return the type of each item (8.11.6)."""
    head = 6 if data[span[0]] == 0 else 8
    kinds = {}
    for _, inner in _listed(data, (span[0] + head, span[1])):
        fields = _Fields(data, inner)
        version = fields(4) >> 24
        item = fields(4 if version == 3 else 2)
        fields(2)
        if item in kinds:
            raise unreadable()
        kinds[item] = fields(4).to_bytes(4, "big")
    return kinds


def _primary_and_related(
    data: bytes, inner: dict[bytes, Span], kinds: dict[int, bytes]
) -> list[int]:
    """Return the primary item, tiles and auxiliary images: no others are decoded (8.11.12)."""
    primary = _Fields(data, inner[b"pitm"])
    found = [primary(4 if primary(4) >> 24 else 2)]
    if references := inner.get(b"iref"):
        size, read = 4 if data[references[0]] else 2, 0
        for kind, span in _listed(data, (references[0] + 4, references[1])):
            fields = _Fields(data, span)
            related, before = [fields(size)], read
            read = _checked(read + fields.count(2))
            related += [fields(size) for _ in range(read - before)]
            # Releases of libavif go by the count, and not by the size of the box.
            if not fields.is_at_end():
                raise unreadable()
            # A gain map, which `tmap` refers to, is not decoded.
            if kind in (_DERIVES, _IS_AUXILIARY) and kinds.get(related[0]) != b"tmap":
                found += related
    return list(dict.fromkeys(found))


def _claims(data: bytes, span: Span) -> dict[int, Size]:
    """Return the first `ispe` of each item."""
    listed = _listed(data, span)
    # Numbered from 1; 0 is none.
    properties = [(b"", (0, 0)), *_listed(data, _within(data, span, b"ipco"))]
    claims: dict[int, Size] = {}
    read = 0
    for kind, inner in listed:
        if kind != b"ipma":
            continue
        fields = _Fields(data, inner)
        flags = fields(4)
        id_size, index_bits = 4 if flags >> 24 else 2, 15 if flags & 1 else 7
        for _ in range(fields.count(4)):
            item, count = fields(id_size), fields(1)
            read = _checked(read + count)
            for _ in range(count):
                # The highest bit says whether the property is essential.
                index = fields((index_bits + 1) // 8) & (1 << index_bits) - 1
                if index >= len(properties):
                    raise unreadable()
                name, at = properties[index]
                if name == b"ispe" and at[1] - at[0] >= 12:
                    width, height = struct.unpack_from(">II", data, at[0] + 4)
                    claims.setdefault(item, (width, height))
    return claims


def _extents(data: bytes, span: Span, inline: Span | None) -> dict[int, list[tuple[int, int]]]:
    """Return where the bytes of each item are: offsets in the file, and sizes (8.11.3)."""
    fields = _Fields(data, span)
    version = fields(4) >> 24
    offset_size, length_size = divmod(fields(1), 16)
    base_size, index_size = divmod(fields(1), 16)
    extents: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    read = 0
    for _ in range(fields.count(4 if version == 2 else 2)):
        item = fields(4 if version == 2 else 2)
        is_inline = bool(version and fields(2) & 15)
        fields(2)
        base = fields(base_size)
        if is_inline:
            if inline is None:
                raise unreadable()
            base += inline[0]
        count = fields.count(2)
        read = _checked(read + count)
        for _ in range(count):
            if version:
                fields(index_size)
            extents[item].append((base + fields(offset_size), fields(length_size)))
    return extents

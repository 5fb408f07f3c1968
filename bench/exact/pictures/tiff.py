"""TIFF, written after its specification: byte orders, depths, planes, strips, tiles, alpha."""

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded

_SHORT, _LONG = 3, 4
_TILE = 16
_LIBTIFF = (
    ("1", ("group3", "group4", "packbits", "tiff_lzw", "tiff_adobe_deflate")),
    ("L", ("packbits", "tiff_lzw", "tiff_adobe_deflate", "zstd", "jpeg")),
    ("RGB", ("packbits", "tiff_lzw", "tiff_adobe_deflate", "zstd", "jpeg")),
    ("RGBA", ("packbits", "tiff_lzw", "tiff_adobe_deflate")),
    ("P", ("packbits", "tiff_lzw", "tiff_adobe_deflate")),
    ("CMYK", ("packbits", "tiff_lzw")),
)


@dataclass(frozen=True)
class _Kind:
    """Number, meaning and depths of the samples of a pixel."""

    name: str
    photometric: int
    mode: str  # of the picture whose bytes are the samples
    depths: tuple[int, ...]
    extra: int | None = None  # ExtraSamples: 0 unspecified, 1 premultiplied alpha, 2 alpha


_KINDS = (
    _Kind("gray", 1, "L", (1, 2, 4, 8, 16)),
    _Kind("gray, white is 0", 0, "L", (1, 4, 8, 16)),
    _Kind("colour", 2, "RGB", (8, 16)),
    _Kind("palette", 3, "L", (1, 2, 4, 8)),
    _Kind("gray with alpha", 1, "LA", (8, 16), extra=2),
    _Kind("colour with alpha", 2, "RGBA", (8, 16), extra=2),
    _Kind("colour with premultiplied alpha", 2, "RGBa", (8, 16), extra=1),
    _Kind("colour with a fourth sample", 2, "RGBA", (8,), extra=0),
    _Kind("CMYK", 5, "CMYK", (8, 16)),
)


@dataclass(frozen=True)
class _Layout:
    """Arrangement of a TIFF's samples: byte order, strips, planes, tiles, compression."""

    order: str = "<"
    rows: int = SIZE[1]  # of a strip
    planar: bool = False
    tiled: bool = False
    deflated: bool = False
    predicted: bool = False
    tags: tuple[tuple[int, int, tuple[int, ...] | bytes], ...] = ()

    def __str__(self) -> str:
        return ", ".join(
            filter(
                None,
                (
                    "big-endian" if self.order == ">" else "little-endian",
                    f"strips of {self.rows} rows" if self.rows != SIZE[1] else "",
                    "tiles" if self.tiled else "",
                    "planes" if self.planar else "",
                    "deflate" if self.deflated else "",
                    "predictor" if self.predicted else "",
                ),
            )
        )


def stills() -> Iterator[Picture]:
    """Yield the files."""
    plain = _Layout()
    layouts = (plain, _Layout(order=">"))
    for kind in _KINDS:
        for depth, layout in itertools.product(kind.depths, layouts):
            yield _sample(kind, depth, layout)
        for layout in (_Layout(rows=7), _Layout(tiled=True), _Layout(deflated=True)):
            yield _sample(kind, kind.depths[-1], layout)
    for kind, depth in ((_KINDS[2], 8), (_KINDS[2], 16), (_KINDS[5], 8), (_KINDS[8], 8)):
        for layout in (_Layout(planar=True), _Layout(planar=True, tiled=True, order=">")):
            yield _sample(kind, depth, layout)
    for kind in (_KINDS[0], _KINDS[2], _KINDS[5]):
        for depth, order in itertools.product((8, 16), "<>"):
            yield _sample(kind, depth, _Layout(deflated=True, predicted=True, order=order))
    for orientation in range(1, 9):
        layout = replace(plain, tags=((0x0112, _SHORT, (orientation,)),))
        yield _sample(_KINDS[2], 8, layout, note=f"orientation {orientation}")
    for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
        layout = replace(plain, tags=((0x8773, 7, profile),))
        for depth in (8, 16):
            yield _sample(_KINDS[2], depth, layout, note=f"profile: {name}")
    yield from _by_libtiff()


def _by_libtiff() -> Iterator[Picture]:
    for mode, compressions in _LIBTIFF:
        for compression in compressions:
            data = encoded(scene(mode), "TIFF", compression=compression)
            yield f"tiff {mode} {compression}", data


def _sample(kind: _Kind, depth: int, layout: _Layout, *, note: str = "") -> Picture:
    data = _tiff(kind, depth, layout)
    words = [f"tiff {kind.name}, {depth} bit, {layout}", *[note] * bool(note)]
    return ", ".join(words), data


def _tiff(kind: _Kind, depth: int, layout: _Layout) -> bytes:
    bands = {"L": 1, "LA": 2, "RGB": 3}.get(kind.mode, 4)
    source = scene("RGBA" if kind.mode == "RGBa" else kind.mode).convert(kind.mode)
    levels = source.tobytes()
    width, height = SIZE
    rows = [levels[y * width * bands : (y + 1) * width * bands] for y in range(height)]
    planes = [[row[band::bands] for row in rows] for band in range(bands)]
    stored, inside = (planes, 1) if layout.planar else ([rows], bands)
    blocks = [
        _stored(block, inside, depth, layout)
        for plane in stored
        for block in (_tiles(plane, inside) if layout.tiled else _strips(plane, layout.rows))
    ]
    tags: list[tuple[int, int, Any]] = [
        (256, _LONG, (width,)),
        (257, _LONG, (height,)),
        (258, _SHORT, (depth,) * bands),
        (259, _SHORT, (8 if layout.deflated else 1,)),
        (262, _SHORT, (kind.photometric,)),
        (277, _SHORT, (bands,)),
        (284, _SHORT, (2 if layout.planar else 1,)),
        *layout.tags,
    ]
    if layout.predicted:
        tags.append((317, _SHORT, (2,)))
    if kind.photometric == 3:
        tags.append((320, _SHORT, _palette(depth)))
    if kind.extra is not None:
        tags.append((338, _SHORT, (kind.extra,)))
    lengths = tuple(map(len, blocks))
    offsets = tuple(itertools.accumulate(lengths, initial=8))[:-1]
    if layout.tiled:
        tags += [(322, _LONG, (_TILE,)), (323, _LONG, (_TILE,))]
        tags += [(324, _LONG, offsets), (325, _LONG, lengths)]
    else:
        tags += [(273, _LONG, offsets), (278, _LONG, (layout.rows,)), (279, _LONG, lengths)]
    return file_of(layout.order, b"".join(blocks), sorted(tags, key=lambda tag: tag[0]))


def file_of(order: str, blocks: bytes, tags: Sequence[tuple[int, int, Any]]) -> bytes:
    """Return a file with its pixels first, then its directory, then values that are longer."""
    blocks += b"\0" * (len(blocks) % 2)
    directory_at = 8 + len(blocks)
    values_at = directory_at + 2 + 12 * len(tags) + 4
    directory, values = struct.pack(f"{order}H", len(tags)), b""
    for tag, kind, value in tags:
        letter = {_SHORT: "H", _LONG: "I"}.get(kind)
        packed = struct.pack(f"{order}{len(value)}{letter}", *value) if letter else value
        if len(packed) > 4:
            offset = values_at + len(values)
            values += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack(f"{order}I", offset)
        directory += struct.pack(f"{order}HHI", tag, kind, len(value)) + packed.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", directory_at) + blocks + directory + bytes(4) + values


def _strips(rows: list[bytes], height: int) -> Iterator[list[bytes]]:
    for top in range(0, len(rows), height):
        yield rows[top : top + height]


def _tiles(rows: list[bytes], bands: int) -> Iterator[list[bytes]]:
    for top in range(0, len(rows), _TILE):
        for left in range(0, len(rows[0]), _TILE * bands):
            tile = [row[left : left + _TILE * bands] for row in rows[top : top + _TILE]]
            tile = [row.ljust(_TILE * bands, b"\0") for row in tile]
            yield tile + [bytes(_TILE * bands)] * (_TILE - len(tile))


def _stored(rows: list[bytes], bands: int, depth: int, layout: _Layout) -> bytes:
    packed = b"".join(_packed(row, bands, depth, layout) for row in rows)
    return zlib.compress(packed) if layout.deflated else packed


def _packed(row: bytes, bands: int, depth: int, layout: _Layout) -> bytes:
    # In 16 bits: white stays white, and alpha 255 stays opaque.
    values = (
        [level * 257 for level in row] if depth == 16 else [level >> (8 - depth) for level in row]
    )
    if layout.predicted:
        before = [0] * bands + values[:-bands]
        values = [(one - other) % (1 << depth) for one, other in zip(values, before, strict=True)]
    if depth == 16:
        return struct.pack(f"{layout.order}{len(values)}H", *values)
    bits = "".join(f"{value:0{depth}b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _palette(depth: int) -> tuple[int, ...]:
    """Return a colour map: all reds, all greens, all blues, in 16 bits."""
    return tuple(n * factor % 256 * 257 for factor in (37, 101, 211) for n in range(1 << depth))

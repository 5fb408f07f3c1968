"""TIFF files of deep samples: integers of 12 to 32 bits, floating-point numbers, in every layout.

TIFF 6.0, sections 14, 15, 18 and 19; TIFF Technical Note 3 for floating-point differences.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.exact.pictures.scene import SIZE, Picture, scene
from bench.exact.pictures.tiff import file_of

_SHORT, _LONG = 3, 4
_TILE = 16
_ROWS = 7  # of a strip

Row = list[float]


@dataclass(frozen=True)
class Samples:
    """Type of a sample; `white` is its value in the brightest pixel."""

    name: str
    format: int  # SampleFormat: 1 unsigned, 2 signed, 3 floating-point
    bits: int
    letter: str  # as struct takes it
    white: float


@dataclass(frozen=True)
class Layout:
    """Arrangement of a TIFF's samples: planes, tiles, compression, predictor."""

    name: str
    planar: bool = False
    tiled: bool = False
    deflated: bool = False
    predictor: int = 1


SAMPLES = (
    Samples("16 bit", 1, 16, "H", 65_535),
    Samples("32 bit", 1, 32, "I", 2**32 - 1),
    Samples("32 bit up to 65,535", 1, 32, "I", 65_535),
    Samples("8 bit signed", 2, 8, "b", 127),
    Samples("16 bit signed", 2, 16, "h", 32_767),
    Samples("32 bit signed", 2, 32, "i", 2**31 - 1),
    Samples("16 bit undefined", 4, 16, "H", 65_535),
    Samples("16 bit float", 3, 16, "e", 1),
    Samples("32 bit float", 3, 32, "f", 1),
    Samples("32 bit float up to 255", 3, 32, "f", 255),
    Samples("64 bit float", 3, 64, "d", 1),
)
_KINDS = (
    ("gray", 1, "L", ()),
    ("gray, white is 0", 0, "L", ()),
    ("gray with alpha", 1, "LA", (2,)),
    ("colour", 2, "RGB", ()),
    ("colour with alpha", 2, "RGBA", (2,)),
    ("colour with a fourth sample", 2, "RGBA", (0,)),
    ("CMYK", 5, "CMYK", ()),
)
_STRIPS = Layout("strips")
_LAYOUTS = (
    _STRIPS,
    Layout("tiles", tiled=True),
    Layout("planes", planar=True),
    Layout("planes of tiles", planar=True, tiled=True),
    Layout("deflate", deflated=True),
)
_DIFFERENCES = (
    Layout("differences", deflated=True),
    Layout("differences in tiles", tiled=True, deflated=True),
    Layout("differences in planes", planar=True, deflated=True),
)
# Predictor 2 is for integers, 3 for floating-point numbers.
_PREDICTED = {"16 bit": 2, "16 bit float": 3, "32 bit float": 3}


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for samples, (name, photometric, mode, extra), order in itertools.product(
        SAMPLES, _KINDS, "<>"
    ):
        layouts = list(_LAYOUTS if mode in ("L", "RGB") else (_STRIPS,))
        if mode in ("L", "RGB", "LA") and (predictor := _PREDICTED.get(samples.name)):
            layouts += [
                Layout(one.name, one.planar, one.tiled, True, predictor) for one in _DIFFERENCES
            ]
        for layout in layouts:
            if layout.planar and mode == "L":
                continue
            words = "in big-endian order" if order == ">" else "in little-endian order"
            data = tiff(samples, photometric, mode, extra, layout, order)
            yield f"tiff {name}, {samples.name}, {words}, {layout.name}", data


def tiff(
    samples: Samples,
    photometric: int,
    mode: str,
    extra: Sequence[int] = (),
    layout: Layout = _STRIPS,
    order: str = "<",
    *,
    compression: int | None = None,
    tags: Sequence[tuple[int, int, tuple[int, ...]]] = (),
) -> bytes:
    """Return a file of the common picture, with more tags.

    `compression` is claimed, whatever is stored.
    """
    image = scene(mode)
    bands = len(image.getbands())
    levels, width = image.tobytes(), SIZE[0] * bands
    rows = [
        [_sample(level, samples) for level in levels[at : at + width]]
        for at in range(0, len(levels), width)
    ]
    planes = [[row[band::bands] for row in rows] for band in range(bands)]
    stored, inside = (planes, 1) if layout.planar else ([rows], bands)
    blocks = [
        _packed(block, samples, inside, layout, order)
        for plane in stored
        for block in (_tiles(plane, inside) if layout.tiled else _strips(plane))
    ]
    lengths = tuple(map(len, blocks))
    offsets = tuple(itertools.accumulate(lengths, initial=8))[:-1]
    claimed = compression or (8 if layout.deflated else 1)
    fields = [
        (256, _LONG, (SIZE[0],)),
        (257, _LONG, (SIZE[1],)),
        (258, _SHORT, (samples.bits,) * bands),
        (259, _SHORT, (claimed,)),
        (262, _SHORT, (photometric,)),
        (277, _SHORT, (bands,)),
        (284, _SHORT, (2 if layout.planar else 1,)),
        (317, _SHORT, (layout.predictor,)),
        (339, _SHORT, (samples.format,) * bands),
        *tags,
    ]
    if extra:
        fields.append((338, _SHORT, tuple(extra)))
    if layout.tiled:
        fields += [(322, _LONG, (_TILE,)), (323, _LONG, (_TILE,))]
        fields += [(324, _LONG, offsets), (325, _LONG, lengths)]
    else:
        fields += [(273, _LONG, offsets), (278, _LONG, (_ROWS,)), (279, _LONG, lengths)]
    return file_of(order, b"".join(blocks), sorted(fields))


def _sample(level: int, samples: Samples) -> float:
    value = level / 255 * samples.white
    return value if samples.format == 3 else round(value)


def _strips(rows: list[Row]) -> Iterator[list[Row]]:
    for top in range(0, len(rows), _ROWS):
        yield rows[top : top + _ROWS]


def _tiles(rows: list[Row], bands: int) -> Iterator[list[Row]]:
    width = _TILE * bands
    for top in range(0, len(rows), _TILE):
        for left in range(0, len(rows[0]), width):
            tile = [row[left : left + width] for row in rows[top : top + _TILE]]
            tile = [row + [0] * (width - len(row)) for row in tile]
            yield tile + [[0] * width] * (_TILE - len(tile))


def _packed(rows: list[Row], samples: Samples, bands: int, layout: Layout, order: str) -> bytes:
    packed = b"".join(_packed_row(row, samples, bands, layout, order) for row in rows)
    return zlib.compress(packed) if layout.deflated else packed


def _packed_row(row: Row, samples: Samples, bands: int, layout: Layout, order: str) -> bytes:
    form = f"{len(row)}{samples.letter}"
    if layout.predictor == 3:
        whole, size = struct.pack(f">{form}", *row), samples.bits // 8
        planes = b"".join(whole[at::size] for at in range(size))
        before = bytes(bands) + planes[:-bands]
        return bytes((one - other) % 256 for one, other in zip(planes, before, strict=True))
    if layout.predictor == 2:
        before_each = [0.0] * bands + row[:-bands]
        pairs = zip(row, before_each, strict=True)
        row = [int(one - other) % (1 << samples.bits) for one, other in pairs]
    return struct.pack(f"{order}{form}", *row)

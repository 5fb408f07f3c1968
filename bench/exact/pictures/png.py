"""PNG, written after its specification: every colour type, depth, filter, interlace and tRNS."""

import struct
import zlib
from collections.abc import Iterator, Sequence

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.forged import chunk
from tests.imaging.forged_animations import PASSES
from tests.imaging.pictures import RED_IS_BLUE, SRGB, exif_of

_TYPES = {
    "gray": (0, 1, (1, 2, 4, 8, 16)),
    "colour": (2, 3, (8, 16)),
    "palette": (3, 1, (1, 2, 4, 8)),
    "gray with alpha": (4, 2, (8, 16)),
    "colour with alpha": (6, 4, (8, 16)),
}
"""Each colour type's number, samples a pixel and bit depths."""

_SIZES = ((1, 1), (2, 3), (4, 1), (5, 5), (8, 8), (9, 2), (33, 1))

Rows = Sequence[Sequence[int]]
"""The samples of each row, one after another."""


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for kind, (_, _, depths) in _TYPES.items():
        for depth in depths:
            for interlaced in (False, True):
                yield _sample(kind, depth, interlaced=interlaced)
                if "alpha" not in kind:
                    yield _sample(kind, depth, interlaced=interlaced, transparent=True)
        for size in _SIZES:
            for interlaced in (False, True):
                yield _sample(kind, depths[0], size=size, interlaced=interlaced)
    for filter in range(5):
        for kind in ("gray", "colour with alpha"):
            yield _sample(kind, 8, filters=(filter,), note=f"filter {filter}")
    for orientation in range(1, 9):
        exif = exif_of(orientation).tobytes().removeprefix(b"Exif\0\0")
        yield _sample("colour", 8, chunks=chunk(b"eXIf", exif), note=f"orientation {orientation}")
    for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
        body = b"x\0\0" + zlib.compress(profile)
        for kind, depth in (
            ("colour", 8),
            ("colour", 16),
            ("palette", 4),
            ("colour with alpha", 8),
        ):
            note = f"profile: {name}"
            yield _sample(kind, depth, chunks=chunk(b"iCCP", body), note=note)
    for length in (1, 7):
        yield _sample("colour", 8, split=length, note=f"pixels in chunks of {length} bytes")


def png(
    colour_type: int,
    depth: int,
    size: tuple[int, int],
    passes: Sequence[tuple[Rows, int]],
    *,
    interlaced: bool = False,
    chunks: bytes = b"",
    filters: Sequence[int] = range(5),
    split: int = 0,
) -> bytes:
    """Return a file of rows of samples; each pass has its rows and the samples of a pixel."""
    packed = b"".join(
        _filtered([_packed(row, depth) for row in rows], max(1, bands * depth // 8), filters)
        for rows, bands in passes
    )
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, interlaced)
    pixels = zlib.compress(packed)
    step = split or len(pixels)
    data = (chunk(b"IDAT", pixels[at : at + step]) for at in range(0, len(pixels), step))
    signature = b"\x89PNG\r\n\x1a\n"
    return b"".join([signature, chunk(b"IHDR", header), chunks, *data, chunk(b"IEND", b"")])


def _sample(
    kind: str,
    depth: int,
    *,
    size: tuple[int, int] = SIZE,
    interlaced: bool = False,
    transparent: bool = False,
    chunks: bytes = b"",
    filters: Sequence[int] = range(5),
    split: int = 0,
    note: str = "",
) -> Picture:
    colour_type, bands, _ = _TYPES[kind]
    rows = [_levels(kind, depth, size, y) for y in range(size[1])]
    if kind == "palette":
        chunks += _palette(depth)
    if transparent:
        chunks += chunk(b"tRNS", _transparency(kind, rows))
    passes: list[tuple[Rows, int]] = [(rows, bands)]
    if interlaced:
        passes = [(_pass(rows, bands, *start), bands) for start in PASSES]
    data = png(
        colour_type, depth, size, passes,
        interlaced=interlaced, chunks=chunks, filters=filters, split=split,
    )  # fmt: skip
    notes = [
        kind, f"{depth} bit", "interlaced" * interlaced, "tRNS" * transparent,
        "" if size == SIZE else f"{size[0]} x {size[1]}", note,
    ]  # fmt: skip
    return " ".join(["png", *filter_empty(notes)]), data


def filter_empty(words: Sequence[str]) -> list[str]:
    """Return the words that are not empty."""
    return [word for word in words if word]


def _levels(kind: str, depth: int, size: tuple[int, int], y: int) -> list[int]:
    """Return a row's samples: a picture's upper bits, and in 16 bits a pattern below them."""
    mode = {"gray": "L", "palette": "L", "colour": "RGB", "gray with alpha": "LA"}.get(kind, "RGBA")
    image = scene(mode, size)
    row = image.crop((0, y, size[0], y + 1)).tobytes()
    if depth == 16:
        return [level << 8 | (level * 7 + y * 13) % 256 for level in row]
    return [level >> (8 - depth) for level in row]


def _palette(depth: int) -> bytes:
    colours = (bytes((n * 37 % 256, n * 101 % 256, 255 - n * 11 % 256)) for n in range(1 << depth))
    return chunk(b"PLTE", b"".join(colours))


def _transparency(kind: str, rows: Rows) -> bytes:
    """Return the content of tRNS: half of the palette's alpha, or the colour in the middle."""
    if kind == "palette":
        return bytes(range(0, 256, 2))[: max(1, (max(map(max, rows)) + 1) // 2)]
    bands = 3 if kind == "colour" else 1
    row = rows[len(rows) // 2]
    at = len(row) // bands // 2 * bands
    return struct.pack(f">{bands}H", *row[at : at + bands])


def _pass(rows: Rows, bands: int, left: int, top: int, across: int, down: int) -> Rows:
    return [
        [
            sample
            for x in range(left * bands, len(row), across * bands)
            for sample in row[x : x + bands]
        ]
        for row in rows[top::down]
        if left * bands < len(row)
    ]


def _packed(row: Sequence[int], depth: int) -> bytes:
    if depth == 16:
        return struct.pack(f">{len(row)}H", *row)
    bits = "".join(f"{sample:0{depth}b}" for sample in row)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _filtered(rows: Sequence[bytes], back: int, filters: Sequence[int]) -> bytes:
    """Return the rows with their filters, one after another; `back` is a pixel's length."""
    filtered = bytearray()
    above = bytes(len(rows[0])) if rows else b""
    for number, row in enumerate(rows):
        filter = filters[number % len(filters)]
        filtered.append(filter)
        for at, value in enumerate(row):
            left = row[at - back] if at >= back else 0
            corner = above[at - back] if at >= back else 0
            predicted = _predict(filter, left, above[at], corner)
            filtered.append((value - predicted) % 256)
        above = row
    return bytes(filtered)


def _predict(filter: int, left: int, up: int, corner: int) -> int:
    if filter == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda one: abs(guess - one))
    return (0, left, up, (left + up) // 2)[filter]

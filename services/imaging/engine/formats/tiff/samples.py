"""Read the samples of a TIFF whose pixels Pillow has no mode for, through Pillow's libtiff decoder.

Every sample is read as a gray one: a row of w pixels of n samples is a row of n * w gray samples.
These become 8 bits each (`raster/bit_depth.py`), and then are the bytes of 8-bit pixels. Tiles are
read as the strips of a tall image, and put together after that.
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from PIL import Image, ImageChops, ImageMath, ImageOps

from contracts.errors import ImageUnreadable
from contracts.operations.sizes import Size
from services.imaging.engine.formats.tiff.kinds import Kind, number
from services.imaging.engine.raster.bit_depth import (
    float_gray_to_8_bits,
    integer_gray_to_8_bits,
    row_bands,
)

_WIDTH, _HEIGHT = 256, 257
_FILL_ORDER, _STRIPS, _ROWS, _STRIP_LENGTHS, _PREDICTOR = 266, 273, 278, 279, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_LENGTHS = 322, 323, 324, 325
_SHORT, _LONG = 3, 4
_CHUNKY, _FLOATING = 1, 3


class _Parts(NamedTuple):
    """The strips or tiles of one plane, which all have the same size but perhaps the last."""

    size: Size  # in pixels
    is_tiled: bool
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]


def read(data: bytes, tags: Mapping[int, Any], kind: Kind) -> Image.Image:
    """Return the pixels of a TIFF's directory in 8 bits a sample: L, LA, RGB, RGBA, CMYK or LAB.

    Raises ImageUnreadable, and what Pillow raises.
    """
    size = (number(tags, _WIDTH), number(tags, _HEIGHT))
    planes = _planes(tags, kind, size)
    bands = [_to_8_bits(_plane(data, kind, plane, size), kind) for plane in planes]
    if kind.is_inverted:
        bands[0] = ImageOps.invert(bands[0])
    joined = bands[0] if len(bands) == 1 else _joined(bands)
    assert kind.modes is not None
    mode, raw_mode = kind.modes
    return Image.frombytes(mode, size, joined.tobytes(), "raw", raw_mode)


def decoded_size(tags: Mapping[int, Any], size: Size) -> Size:
    """Return the size of all tiles together, or of the strips. Raises ImageUnreadable."""
    if _TILES not in tags:
        return size
    width, height = max(1, number(tags, _TILE_WIDTH)), max(1, number(tags, _TILE_HEIGHT))
    return -(-size[0] // width) * width, -(-size[1] // height) * height


def _planes(tags: Mapping[int, Any], kind: Kind, size: Size) -> list[_Parts]:
    """Return the parts of each plane that is read. Raises ImageUnreadable if parts are missing."""
    width, height = size
    is_tiled = _TILES in tags
    if is_tiled:
        part = (number(tags, _TILE_WIDTH), number(tags, _TILE_HEIGHT))
    else:
        part = (width, min(number(tags, _ROWS) or height, height))
    offsets = _tuple(tags.get(_TILES if is_tiled else _STRIPS, ()))
    lengths = _tuple(tags.get(_TILE_LENGTHS if is_tiled else _STRIP_LENGTHS, ()))
    if min(part) < 1:
        raise ImageUnreadable("The strips or tiles of the TIFF have no size.")
    count = -(-width // part[0]) * -(-height // part[1])
    planes = kind.used if kind.is_planar else 1
    if min(len(offsets), len(lengths)) < planes * count:
        raise ImageUnreadable("The TIFF lacks strips or tiles.")
    return [
        _Parts(part, is_tiled, offsets[at : at + count], lengths[at : at + count])
        for at in range(0, planes * count, count)
    ]


def _plane(data: bytes, kind: Kind, parts: _Parts, size: Size) -> Image.Image:
    """Return the samples of a plane, in Pillow's mode of the samples."""
    inside = kind.samples_inside
    across, down = parts.size[0] * inside, parts.size[1]
    tall = (across, down * len(parts.offsets) if parts.is_tiled else size[1])
    image = _decoded(data, kind, parts, tall)
    if not parts.is_tiled:
        return image
    whole = Image.new(image.mode, (size[0] * inside, size[1]))
    columns = -(-size[0] // parts.size[0])
    for index in range(len(parts.offsets)):
        row, column = divmod(index, columns)
        tile = image.crop((0, index * down, across, (index + 1) * down))
        whole.paste(tile, (column * across, row * down))
    return whole


def _decoded(data: bytes, kind: Kind, parts: _Parts, size: Size) -> Image.Image:
    """Decode all parts of a plane as the strips of one gray image of this size."""
    mode, raw_mode = kind.sample_modes
    bits, inside, predictor = kind.bits[0], kind.samples_inside, kind.predictor
    if inside == 1:
        # libtiff applies the predictor.
        return _gray(data, kind, parts, size, (mode, raw_mode, bits))
    if predictor == 1:
        return _gray(data, kind, parts, size, (mode, raw_mode, bits))
    if predictor == _FLOATING:
        stored = _gray(data, kind, parts, (size[0] * bits // 8, size[1]), ("L", "L", 8))
    else:
        stored = _gray(data, kind, parts, size, (mode, raw_mode, bits))
    image = Image.new(mode, size)
    for top, rows in row_bands(stored):
        summed = _summed(rows, inside)
        if predictor == _FLOATING:
            summed = _from_byte_planes(summed, size[0], mode)
        image.paste(summed, (0, top))
    return image


def _gray(
    data: bytes, kind: Kind, parts: _Parts, size: Size, sample: tuple[str, str, int]
) -> Image.Image:
    """Decode the parts of a plane as gray samples; `sample` is their mode, raw mode and bits."""
    mode, raw_mode, bits = sample
    order = "<" if data[:2] == b"II" else ">"
    predictor = kind.predictor if kind.samples_inside == 1 else 1
    start = len(data) + len(data) % 2
    fields = [
        (_WIDTH, _LONG, (size[0],)),
        (_HEIGHT, _LONG, (size[1],)),
        (258, _SHORT, (bits,)),
        (259, _SHORT, (kind.compression,)),
        (262, _SHORT, (1,)),
        (_FILL_ORDER, _SHORT, (kind.fill_order,)),
        (_STRIPS, _LONG, parts.offsets),
        (277, _SHORT, (1,)),
        (_ROWS, _LONG, (parts.size[1],)),
        (_STRIP_LENGTHS, _LONG, parts.lengths),
        (284, _SHORT, (_CHUNKY,)),
        (_PREDICTOR, _SHORT, (predictor,)),
        (339, _SHORT, (3 if predictor == _FLOATING else 1,)),
    ]
    directory, values = struct.pack(f"{order}H", len(fields)), b""
    values_at = start + 2 + 12 * len(fields) + 4
    for tag, form, numbers in fields:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if form == _SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            offset = values_at + len(values)
            values += packed
            packed = struct.pack(f"{order}I", offset)
        directory += struct.pack(f"{order}HHI", tag, form, len(numbers)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    # The first 8 bytes were a header, of BigTIFF too.
    file = b"".join((head, data[8:], bytes(len(data) % 2), directory, bytes(4), values))
    image = Image.new(mode, size)
    decoder = Image._getdecoder(mode, "libtiff", (raw_mode, False, start))
    decoder.setimage(image.im, (0, 0, *size))
    _, error = decoder.decode(file)
    if error < 0:
        raise ImageUnreadable("The strips or tiles of the TIFF can't be decoded.")
    return image


def _summed(image: Image.Image, step: int) -> Image.Image:
    """Undo differences: add to each sample all samples of its row at multiples of `step` before.

    Each pass doubles how many are added.
    """
    while step < image.width:
        before = Image.new(image.mode, image.size)
        before.paste(image.crop((0, 0, image.width - step, image.height)), (step, 0))
        add = ImageChops.add_modulo if image.mode == "L" else _add_16_bits
        image = add(image, before)
        step *= 2
    return image


def _add_16_bits(one: Image.Image, other: Image.Image) -> Image.Image:
    """Add two images of mode I, modulo 65,536."""
    total: Image.Image = ImageMath.lambda_eval(
        lambda images: (images["one"] + images["other"]) & 0xFFFF, one=one, other=other
    )
    return total


def _from_byte_planes(packed: Image.Image, width: int, mode: str) -> Image.Image:
    """Return floats of rows that have all first bytes, then all second bytes, and so on."""
    size = (width, packed.height)
    planes = [packed.crop((at, 0, at + width, size[1])) for at in range(0, packed.width, width)]
    joined = Image.merge("RGBA" if len(planes) == 4 else "LA", planes).tobytes()
    return Image.frombytes(mode, size, joined, "raw", "F;32BF" if mode == "F" else "I;16BS")


def _joined(bands: list[Image.Image]) -> Image.Image:
    """Put the bytes of bands beside each other."""
    return Image.merge({2: "LA", 3: "RGB", 4: "RGBA"}[len(bands)], bands)


def _to_8_bits(image: Image.Image, kind: Kind) -> Image.Image:
    if kind.is_half:
        image = _from_halves(image)
    if image.mode == "F":
        return float_gray_to_8_bits(image)
    if image.mode == "L":
        return image
    return integer_gray_to_8_bits(image, bits=kind.bits[0], signed=kind.is_signed)


def _from_halves(image: Image.Image) -> Image.Image:
    """Return the numbers whose 16 bits are the samples of an image, as mode F.

    The bits of a number of 16 bits, shifted, are those of one of 32 bits over 2 ** 112. Negative
    ones stay negative.
    """
    result = Image.new("F", image.size)
    for top, rows in row_bands(image):
        bits = rows.point(lambda value: value * 8192).tobytes()
        numbers = Image.frombytes("F", rows.size, bits)
        result.paste(numbers.point(lambda value: value * 2.0**112), (0, top))
    return result


def _tuple(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)

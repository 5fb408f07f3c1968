"""Filter and compress the pixels of a PNG (PNG, Third Edition, W3C 2025, sections 9 and 10).

Pillow chooses a filter for each row and compresses with zlib-ng. libdeflate is three to five times
as fast at the same size, but needs all rows at once. Photographs become smaller with one filter for
all rows, and drawings without any: docs/decisions/0046.
"""

import io
import zlib
from collections.abc import Iterator
from operator import itemgetter

import deflate
from PIL import Image, ImageChops

from services.imaging.engine.formats.png.file import chunks

MAX_BYTES = 16 << 20
"""The most bytes of pixels that `compress` is made for: it has several copies of them."""

_NONE, _AVERAGE = 0, 3  # filter types

_FAST, _SMALL = 1, 2  # levels of libdeflate
# Level 2 saves 3 percent of most photographs in twice the time. It takes no longer where pixels
# compress well, and finds what level 1 does not: that the three colours of each gray are equal.
_COMPRESSES_WELL = 4  # times smaller
_WORTH_IT = 0.95

# The filter is chosen by a part of the rows, in bands spread over the picture.
_SAMPLED_PART = 16  # one row of so many
_BAND = 8  # rows; at least one band
# Factors of the sizes of the sample: without a filter, rows far apart repeat each other, which a
# sample does not show; and Pillow's filters take ten times as long as a filter for all rows.
_REPEATS, _SLOW = 0.92, 1.02
_STRIP_BYTES = 1 << 17  # filtered at a time, so that they stay in the processor's cache

_BYTES_A_PIXEL = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def supports(image: Image.Image) -> bool:
    """Return whether `compress` takes an image of this mode and size."""
    pixel = _BYTES_A_PIXEL.get(image.mode)
    return pixel is not None and image.width * image.height * pixel <= MAX_BYTES


def compress(image: Image.Image) -> bytearray:
    """Return the content of the IDAT chunk of an image that `supports` accepts."""
    sample = _sample(image)
    plain, averaged, by_row = (
        _without_first_rows(rows(sample), sample.height)
        for rows in (_without_filter, _averaged, _by_row)
    )
    candidates = (
        (_size(plain) * _REPEATS, _without_filter, plain),
        (_size(averaged), _averaged, averaged),
        (_size(by_row) * _SLOW, _by_row, by_row),
    )
    size, rows, sampled = min(candidates, key=itemgetter(0))
    compresses_well = size * _COMPRESSES_WELL < len(sampled)
    small = compresses_well or _size(sampled, _SMALL) < size * _WORTH_IT
    return deflate.zlib_compress(rows(image), _SMALL if small else _FAST)


def _sample(image: Image.Image) -> Image.Image:
    """Return bands of an image's rows, one below the other."""
    bands = -(-image.height // (_SAMPLED_PART * _BAND))
    step = image.height / bands
    sample = Image.new(image.mode, (image.width, _BAND * bands))
    for number in range(bands):
        top = int((number + 0.5) * step - _BAND / 2)
        band = image.crop((0, top, image.width, top + _BAND))
        sample.paste(band, (0, number * _BAND))
    return sample


def _without_first_rows(rows: bytes, height: int) -> bytes:
    """Leave out the first row of each band: the row above it is of another part of the picture."""
    row = len(rows) // height
    band = row * _BAND
    return b"".join(rows[start + row : start + band] for start in range(0, len(rows), band))


def _size(rows: bytes, level: int = _FAST) -> int:
    return len(deflate.zlib_compress(rows, level))


def _without_filter(image: Image.Image) -> bytes:
    return b"".join(_with_type(strip, _NONE) for _, strip in _strips(image))


def _averaged(image: Image.Image) -> bytes:
    """Return the rows as differences from the mean of the left and the upper neighbour."""
    pixel, parts = _BYTES_A_PIXEL[image.mode], []
    for above, strip in _strips(image):
        width, height = strip.size
        # A margin of zeros at the left, and the row above: the neighbours of every byte.
        framed = Image.new("L", (width + pixel, height + 1))
        framed.paste(strip, (pixel, 1))
        if above:
            framed.paste(above, (pixel, 0))
        left = framed.crop((0, 1, width, height + 1))
        upper = framed.crop((pixel, 0, width + pixel, height))
        # `blend` rounds down, as the filter has to.
        mean = Image.blend(left, upper, 0.5)
        parts.append(_with_type(ImageChops.subtract_modulo(strip, mean), _AVERAGE))
    return b"".join(parts)


def _by_row(image: Image.Image) -> bytes:
    """Return the rows with the filters that Pillow chooses."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0)
    stored = (body for name, body in chunks(file.getvalue()) if name == b"IDAT")
    return zlib.decompress(b"".join(stored))


def _strips(image: Image.Image) -> Iterator[tuple[Image.Image | None, Image.Image]]:
    """Yield strips of the bytes of an image, as images in L, each with the row above it."""
    across = image.width * _BYTES_A_PIXEL[image.mode]
    rows = max(1, _STRIP_BYTES // across)
    above = None
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip = Image.frombytes("L", (across, part.height), part.tobytes())
        yield above, strip
        above = strip.crop((0, strip.height - 1, across, strip.height))


def _with_type(strip: Image.Image, type: int) -> bytes:
    """Return the rows of a strip, each after the byte that tells its filter."""
    rows = Image.new("L", (strip.width + 1, strip.height), type)
    rows.paste(strip, (1, 0))
    return rows.tobytes()

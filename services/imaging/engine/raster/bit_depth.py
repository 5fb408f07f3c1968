"""Scale samples of 8 signed, 16 or 32 bits, or of floating point, down to 8 bits.

The samples are gray, or those of colours beside each other, which share one scale.
"""

from collections.abc import Iterator

from PIL import Image

_MAX_UINT16 = 65_535
_ROWS_AT_ONCE = 64

# Floats with highlights may exceed 1.0 (white); above this they were integers once.
_BRIGHTEST_HIGHLIGHT = 16


def integer_gray_to_8_bits(
    image: Image.Image, *, bits: int = 16, signed: bool = False
) -> Image.Image:
    """Convert integers (mode I, or I;16 in any byte order) to mode L.

    White is the largest number of the type: 65,535, or of signed samples 32,767. Samples of 32 bits
    up to 65,535 count as 16 bits. Negative samples are black.
    """
    if bits == 32:
        darkest, brightest = _extremes(image)
        if darkest < 0 and not signed:
            # Pillow reads unsigned samples as signed: take the most significant of the four bytes.
            return Image.frombytes("RGBA", image.size, image.tobytes()).getchannel("A")
        if brightest <= _MAX_UINT16:
            return _scaled(image, _MAX_UINT16)
    return _scaled(image, (1 << bits - signed) - 1)


def float_gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Convert floating-point samples (mode F) to mode L.

    White is 1.0, and brighter samples are white too. If the brightest sample is above 16, the
    samples were integers once: white is 255, or 65,535 if a sample is above 255. Negative samples
    are black.
    """
    _, brightest = _extremes(image)
    if brightest > 255:
        return _scaled(image, _MAX_UINT16)
    return _scaled(image, 255 if brightest > _BRIGHTEST_HIGHLIGHT else 1)


def row_bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield copies of 64 rows each, with the number of the first: they take little memory."""
    for top in range(0, image.height, _ROWS_AT_ONCE):
        yield top, image.crop((0, top, image.width, min(image.height, top + _ROWS_AT_ONCE)))


def _scaled(image: Image.Image, white: int) -> Image.Image:
    factor = 255 / white
    result = Image.new("L", image.size)
    for top, rows in row_bands(image):
        result.paste(rows.point(lambda value: value * factor + 0.5).convert("L"), (0, top))
    return result


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The lowest and the highest sample."""
    darkest, brightest = image.getextrema()
    assert not isinstance(darkest, tuple)
    assert not isinstance(brightest, tuple)
    return darkest, brightest

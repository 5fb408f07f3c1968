"""Scale grayscale samples of 16 or 32 bits, or of floating point, down to 8 bits."""

from PIL import Image

_MAX_UINT16 = 65_535
_MAX_INT32 = 2**31 - 1
_MAX_UINT32 = 2**32 - 1

# Floats with highlights may exceed 1.0 (white); above this they were integers once.
_BRIGHTEST_HIGHLIGHT = 16

_SAMPLE_FORMAT, _SIGNED = 339, (2,)  # TIFF 6.0, section 19


def integer_gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Convert integer grayscale (mode I or I;16 in any byte order) to mode L.

    White is 65,535. If a 32-bit image has brighter samples, white is the largest number of its
    type: signed if the TIFF says so, else unsigned. Negative samples of a signed image are black.
    """
    if image.mode != "I":
        return _scaled(image, _MAX_UINT16)
    darkest, brightest = _extremes(image)
    signed = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT) == _SIGNED
    if darkest < 0 and not signed:
        # Pillow 13.0 reads unsigned samples as signed: take the most significant of the four bytes.
        return Image.frombytes("RGBA", image.size, image.tobytes()).getchannel("A")
    if brightest <= _MAX_UINT16:
        return _scaled(image, _MAX_UINT16)
    return _scaled(image, _MAX_INT32 if signed else _MAX_UINT32)


def float_gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Convert floating-point grayscale (mode F) to mode L.

    White is 1.0, and brighter samples are white too. If the brightest sample is above 16, the
    samples were integers once: white is 255, or 65,535 if a sample is above 255. Negative samples
    are black.
    """
    _, brightest = _extremes(image)
    if brightest > 255:
        return _scaled(image, _MAX_UINT16)
    return _scaled(image, 255 if brightest > _BRIGHTEST_HIGHLIGHT else 1)


def _scaled(image: Image.Image, white: int) -> Image.Image:
    factor = 255 / white
    return image.point(lambda value: value * factor + 0.5).convert("L")


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The lowest and the highest sample."""
    darkest, brightest = image.getextrema()
    assert not isinstance(darkest, tuple)
    assert not isinstance(brightest, tuple)
    return darkest, brightest

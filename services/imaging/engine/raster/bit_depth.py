"""Gray in sixteen or thirty-two bits becomes gray in eight."""

from PIL import Image

_WHOLE_16_BITS = 65_535
_WHOLE_31_BITS = 2**31 - 1
_BRIGHTEST = 16  # times white: what a photograph with lights in it may have

_SAMPLE_FORMAT, _SIGNED = 339, (2,)  # TIFF 6.0, section 19


def integer_gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Whole numbers, in a mode that begins with I, as L.

    White is 65,535; in a TIFF of 32 bits with more than that it is the largest number that there
    can be, and what is less than nothing is black.
    """
    if image.mode != "I":
        return _scaled(image, _WHOLE_16_BITS)
    darkest, brightest = _extremes(image)
    signed = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT) == _SIGNED
    if darkest < 0 and not signed:
        # Pillow has no unsigned numbers: the highest byte of four says how bright they are.
        return Image.frombytes("RGBA", image.size, image.tobytes()).getchannel("A")
    if brightest <= _WHOLE_16_BITS:
        return _scaled(image, _WHOLE_16_BITS)
    return _scaled(image, _WHOLE_31_BITS if signed else 2 * _WHOLE_31_BITS + 1)


def float_gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Floats, in mode F, as L.

    White is 1, and so is what is brighter. Where the brightest is more than 16, they were whole
    numbers once: white is 255, or 65,535 if there is more than that. What is less than nothing is
    black.
    """
    _, brightest = _extremes(image)
    if brightest > 255:
        return _scaled(image, _WHOLE_16_BITS)
    return _scaled(image, 255 if brightest > _BRIGHTEST else 1)


def _scaled(image: Image.Image, white: int) -> Image.Image:
    factor = 255 / white
    return image.point(lambda value: value * factor + 0.5).convert("L")


def _extremes(image: Image.Image) -> tuple[float, float]:
    darkest, brightest = image.getextrema()
    assert not isinstance(darkest, tuple)
    assert not isinstance(brightest, tuple)
    return darkest, brightest

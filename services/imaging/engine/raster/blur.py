"""Gaussian blur that is exact at an image's edges, too."""

import math

from PIL import Image, ImageFilter

from contracts.operations.sizes import Size
from services.imaging.engine.raster.alpha import premultiply


def blur(image: Image.Image, radius: float) -> Image.Image:
    """Convolve with a Gaussian of this standard deviation in pixels.

    Beyond its edges the image is as at its edges. Colours are weighted by alpha, so that those of
    transparent pixels do not spread.
    """
    # Pillow takes three means of neighbours, each of which would repeat the edges of the one
    # before. That is up to 33 levels wrong; with a margin as wide as all three reach, it is 3.
    margin = _margin(radius)
    width, height = image.size
    wide = _with_margin(premultiply(image), margin).filter(ImageFilter.GaussianBlur(radius))
    return wide.crop((margin, margin, margin + width, margin + height)).convert(image.mode)


def blurred_pixels(size: Size, radius: float) -> int:
    """The number of pixels that a blur of an image of this size works on."""
    margin = _margin(radius)
    return (size[0] + 2 * margin) * (size[1] + 2 * margin)


def _margin(radius: float) -> int:
    return math.ceil(3 * radius) + 3


def _with_margin(image: Image.Image, margin: int) -> Image.Image:
    """Repeat the outermost pixels on each side."""
    width, height = image.size
    result = Image.new(image.mode, (width + 2 * margin, height + 2 * margin))
    result.paste(image, (margin, margin))
    for source, target in ((0, 0), (width - 1, margin + width)):
        column = image.crop((source, 0, source + 1, height))
        result.paste(_stretched(column, (margin, height)), (target, margin))
    for source, target in ((margin, 0), (margin + height - 1, margin + height)):
        row = result.crop((0, source, result.width, source + 1))
        result.paste(_stretched(row, (result.width, margin)), (0, target))
    return result


def _stretched(line: Image.Image, size: Size) -> Image.Image:
    return line.resize(size, Image.Resampling.NEAREST)

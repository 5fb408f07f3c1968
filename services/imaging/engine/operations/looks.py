"""Operations on an image's look, one pure function each, on images in L, LA, RGB or RGBA."""

from typing import assert_never

from PIL import Image, ImageChops, ImageFilter

from contracts.operations.looks import (
    Adjust,
    Autocontrast,
    Blur,
    Duotone,
    Equalize,
    Grayscale,
    LookOperation,
    Negate,
    Pixelate,
    Posterize,
    Sepia,
    Sharpen,
    Tint,
)
from contracts.operations.pipeline import Operation
from services.imaging.engine.operations import colour_matrices
from services.imaging.engine.operations.tones import (
    Curve,
    bent,
    histogram,
    mixed,
    printed,
    rgb,
    spread,
    stretched,
)
from services.imaging.engine.raster.alpha import has_alpha, premultiply

_NEGATIVE = Curve(tuple(range(255, -1, -1)))


def settle(image: Image.Image, operation: Operation) -> Operation | Curve:
    """The operation as it is decided on this image, where it goes by the pixels; else itself."""
    match operation:
        case Autocontrast():
            return stretched(histogram(image), operation.cutoff)
        case Equalize():
            return spread(histogram(image))
        case _:
            return operation


def apply(image: Image.Image, operation: LookOperation | Curve) -> Image.Image:
    """The image after the operation."""
    match operation:
        case Curve():
            return bent(image, operation)
        case Grayscale():
            return grayscale(image)
        case Sepia():
            return mixed(image, colour_matrices.sepia(operation.amount))
        case Duotone():
            return duotone(image, operation)
        case Tint():
            return tint(image, operation)
        case Negate():
            return bent(image, _NEGATIVE)
        case Adjust():
            return adjust(image, operation)
        case Autocontrast():
            return bent(image, stretched(histogram(image), operation.cutoff))
        case Equalize():
            return bent(image, spread(histogram(image)))
        case Posterize():
            return posterize(image, operation.levels)
        case Blur():
            return blur(image, operation.radius)
        case Sharpen():
            return sharpen(image, operation)
        case Pixelate():
            return pixelate(image, operation.size)
        case _:
            assert_never(operation)


def grayscale(image: Image.Image) -> Image.Image:
    """Leave the luma, and the transparency."""
    return image.convert("LA" if has_alpha(image) else "L")


def duotone(image: Image.Image, operation: Duotone) -> Image.Image:
    """Every luma as the colour that lies as far between the two."""
    ends = list(zip(rgb(operation.shadows), rgb(operation.highlights), strict=True))
    return printed(
        image,
        [[low + (high - low) * tone / 255 for low, high in ends] for tone in range(256)],
    )


def tint(image: Image.Image, operation: Tint) -> Image.Image:
    """From black over the colour, at its own luma, to white: no luma changes."""
    colour = rgb(operation.colour)
    middle = sum(weight * band for weight, band in zip(colour_matrices.LUMA, colour, strict=True))

    def tinted(tone: int, band: int) -> float:
        if tone <= middle:
            return tone * band / middle if middle else 0.0
        return band + (255 - band) * (tone - middle) / (255 - middle)

    tones = [[tinted(tone, band) for band in colour] for tone in range(256)]
    result = printed(image, tones)
    if operation.amount == 1:
        return result
    return Image.blend(image.convert(result.mode), result, operation.amount)


def adjust(image: Image.Image, operation: Adjust) -> Image.Image:
    """Brightness, contrast, gamma, saturation, hue, in this order; the transparency stays."""
    curved = bent(image, Curve.of([_tone(value, operation) for value in range(256)]))
    plain = operation.saturation == 1 and operation.hue % 360 == 0
    if plain or image.mode in ("L", "LA"):
        return curved
    saturated = colour_matrices.saturation(operation.saturation)
    return mixed(curved, colour_matrices.product(colour_matrices.turn(operation.hue), saturated))


def posterize(image: Image.Image, levels: int) -> Image.Image:
    """The nearest of so many evenly spaced tones, black and white among them."""
    steps = levels - 1
    return bent(image, Curve.of([round(tone * steps / 255) * 255 / steps for tone in range(256)]))


def blur(image: Image.Image, radius: float) -> Image.Image:
    """Blur the image; what is transparent lends no colour to its neighbours."""
    return premultiply(image).filter(ImageFilter.GaussianBlur(radius)).convert(image.mode)


def sharpen(image: Image.Image, operation: Sharpen) -> Image.Image:
    """Move away from the blurred image where it differs; the transparency stays."""
    blurred = blur(image, operation.radius)
    sharp = Image.blend(blurred, image, 1 + operation.amount)
    if operation.threshold:
        differs = [255 * (tone > operation.threshold) for tone in range(256)]
        edges = ImageChops.difference(blurred, image).convert("L").point(differs)
        sharp = Image.composite(sharp, image, edges)
    if has_alpha(image):
        sharp.putalpha(image.getchannel("A"))
    return sharp


def pixelate(image: Image.Image, size: int) -> Image.Image:
    """Means of squares, from the upper left on; transparent pixels weigh nothing in them."""
    squares = image.reduce(size)
    return squares.resize(
        image.size,
        Image.Resampling.NEAREST,
        (0, 0, image.width / size, image.height / size),
    )


def _tone(value: int, operation: Adjust) -> float:
    bright = min(255.0, value * operation.brightness)
    contrasted = min(255.0, max(0.0, (bright - 127.5) * operation.contrast + 127.5))
    exponent = 1 / operation.gamma
    return float(contrasted**exponent * 255 ** (1 - exponent))

"""Operations on an image's look: its colours, tones and sharpness; its size stays."""

from typing import assert_never

from PIL import Image, ImageChops

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
from services.imaging.engine.operations import colour_matrices
from services.imaging.engine.operations.tones import (
    ToneCurve,
    apply_curve,
    apply_matrix,
    equalizing_curve,
    luma_histogram,
    map_luma,
    rgb,
    stretching_curve,
)
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.blur import blur

_NEGATIVE = ToneCurve(tuple(range(255, -1, -1)))


def apply(image: Image.Image, operation: LookOperation | ToneCurve) -> Image.Image:
    """The image after the operation."""
    match operation:
        case Grayscale():
            return grayscale(image)
        case Sepia():
            return apply_matrix(image, colour_matrices.sepia(operation.amount))
        case Duotone():
            return duotone(image, operation)
        case Tint():
            return tint(image, operation)
        case Negate():
            return apply_curve(image, _NEGATIVE)
        case Adjust():
            return adjust(image, operation)
        case Autocontrast():
            return apply_curve(image, stretching_curve(luma_histogram(image), operation.cutoff))
        case Equalize():
            return apply_curve(image, equalizing_curve(luma_histogram(image)))
        case Posterize():
            return posterize(image, operation.levels)
        case Blur():
            return blur(image, operation.radius)
        case Sharpen():
            return sharpen(image, operation)
        case Pixelate():
            return pixelate(image, operation.size)
        case ToneCurve():
            return apply_curve(image, operation)
        case _:
            assert_never(operation)


def resolve(image: Image.Image, operation: LookOperation) -> LookOperation | ToneCurve:
    """Replace an operation that reads the image's histogram by the curve that follows from it."""
    match operation:
        case Autocontrast():
            return stretching_curve(luma_histogram(image), operation.cutoff)
        case Equalize():
            return equalizing_curve(luma_histogram(image))
        case _:
            return operation


def grayscale(image: Image.Image) -> Image.Image:
    """Keep the luma (ITU-R BT.601) and alpha, in L or LA."""
    return image.convert("LA" if has_alpha(image) else "L")


def duotone(image: Image.Image, operation: Duotone) -> Image.Image:
    """Replace each luma by a mix of the two colours: black is shadows, white is highlights."""
    ends = list(zip(rgb(operation.shadows), rgb(operation.highlights), strict=True))
    return map_luma(
        image,
        [[low + (high - low) * tone / 255 for low, high in ends] for tone in range(256)],
    )


def tint(image: Image.Image, operation: Tint) -> Image.Image:
    """Replace each luma by the operation's hue at that luma: from black by the colour to white."""
    colour = rgb(operation.colour)
    middle = sum(weight * band for weight, band in zip(colour_matrices.LUMA, colour, strict=True))

    def tinted(tone: int, band: int) -> float:
        if tone <= middle:
            return tone * band / middle if middle else 0.0
        return band + (255 - band) * (tone - middle) / (255 - middle)

    result = map_luma(image, [[tinted(tone, band) for band in colour] for tone in range(256)])
    if operation.amount == 1:
        return result
    return Image.blend(image.convert(result.mode), result, operation.amount)


def adjust(image: Image.Image, operation: Adjust) -> Image.Image:
    """Change brightness, contrast, gamma, saturation and hue, in this order; alpha stays."""
    curved = apply_curve(image, ToneCurve.of([_adjusted(tone, operation) for tone in range(256)]))
    keeps_colours = operation.saturation == 1 and operation.hue % 360 == 0
    if keeps_colours or image.mode in ("L", "LA"):
        return curved
    saturation = colour_matrices.saturation(operation.saturation)
    hue = colour_matrices.hue_rotation(operation.hue)
    return apply_matrix(curved, colour_matrices.product(hue, saturation))


def posterize(image: Image.Image, levels: int) -> Image.Image:
    """Round each sample to the nearest of `levels` evenly spaced tones from black to white."""
    steps = levels - 1
    tones = [round(tone * steps / 255) * 255 / steps for tone in range(256)]
    return apply_curve(image, ToneCurve.of(tones))


def sharpen(image: Image.Image, operation: Sharpen) -> Image.Image:
    """Unsharp mask: increase the difference from a blurred copy where it exceeds the threshold.

    Alpha stays.
    """
    blurred = blur(image, operation.radius)
    sharp = Image.blend(blurred, image, 1 + operation.amount)
    if operation.threshold:
        exceeds = [255 * (level > operation.threshold) for level in range(256)]
        mask = ImageChops.difference(blurred, image).convert("L").point(exceeds)
        sharp = Image.composite(sharp, image, mask)
    if has_alpha(image):
        sharp.putalpha(image.getchannel("A"))
    return sharp


def pixelate(image: Image.Image, size: int) -> Image.Image:
    """Fill squares of `size` pixels, from the upper left on, with their mean weighted by alpha."""
    squares = image.reduce(size)
    return squares.resize(
        image.size,
        Image.Resampling.NEAREST,
        (0, 0, image.width / size, image.height / size),
    )


def _adjusted(tone: int, operation: Adjust) -> float:
    """The tone, 0 to 255, after brightness, contrast and gamma."""
    bright = min(255.0, tone * operation.brightness)
    contrasted = min(255.0, max(0.0, (bright - 127.5) * operation.contrast + 127.5))
    exponent = 1 / operation.gamma
    return float(contrasted**exponent * 255 ** (1 - exponent))

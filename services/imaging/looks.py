"""Operations on an image's look, one pure function each, on images in L, LA, RGB or RGBA."""

from typing import assert_never

from PIL import Image, ImageEnhance, ImageFilter

from contracts.looks import Adjust, Blur, Grayscale, LookOperation, Sharpen
from services.imaging.colours import has_alpha

_SHARPEN_RADIUS = 2


def apply(image: Image.Image, operation: LookOperation) -> Image.Image:
    """The image after the operation."""
    match operation:
        case Grayscale():
            return grayscale(image)
        case Blur():
            return blur(image, operation.radius)
        case Sharpen():
            return sharpen(image, operation)
        case Adjust():
            return adjust(image, operation)
        case _:
            assert_never(operation)


def grayscale(image: Image.Image) -> Image.Image:
    """Leave the luma, and the transparency."""
    return image.convert("LA" if has_alpha(image) else "L")


def blur(image: Image.Image, radius: float) -> Image.Image:
    """Blur the image; what is transparent lends no colour to its neighbours."""
    gaussian = ImageFilter.GaussianBlur(radius)
    if not has_alpha(image):
        return image.filter(gaussian)
    premultiplied = image.convert("La" if image.mode == "LA" else "RGBa")
    return premultiplied.filter(gaussian).convert(image.mode)


def sharpen(image: Image.Image, operation: Sharpen) -> Image.Image:
    """Move away from the blurred image; the transparency stays."""
    sharp = Image.blend(blur(image, _SHARPEN_RADIUS), image, 1 + operation.amount)
    if has_alpha(image):
        sharp.putalpha(image.getchannel("A"))
    return sharp


def adjust(image: Image.Image, operation: Adjust) -> Image.Image:
    """Brightness, contrast, saturation, in this order; the transparency stays."""
    tones = [_tone(value, operation) for value in range(256)]
    same = list(range(256))
    if tones != same:
        alpha = [same] if has_alpha(image) else []
        bands = [tones] * (len(image.getbands()) - len(alpha)) + alpha
        image = image.point([value for band in bands for value in band])
    if operation.saturation == 1 or image.mode in ("L", "LA"):
        return image
    return ImageEnhance.Color(image).enhance(operation.saturation)


def _tone(value: int, operation: Adjust) -> int:
    bright = min(255.0, value * operation.brightness)
    return round(min(255.0, max(0.0, (bright - 127.5) * operation.contrast + 127.5)))

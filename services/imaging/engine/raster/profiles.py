"""Colour conversion: from any mode and ICC profile that a decoder returns to a work mode.

The work modes are L, LA, RGB and RGBA, 8 bits a sample. Every operation takes and returns them.
"""

import io
from functools import cache

from PIL import Image, ImageCms

from services.imaging.engine.raster.alpha import drop_alpha, has_alpha
from services.imaging.engine.raster.bit_depth import float_gray_to_8_bits, integer_gray_to_8_bits

# The header field of a profile that names its colour space (ICC.1:2022, 7.2.6).
_COLOUR_SPACE = slice(16, 20)
_MODES_OF_SPACE = {b"RGB ": ("RGB", "RGBA"), b"GRAY": ("L", "LA")}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image of any mode to sRGB in a work mode.

    `profile` is the ICC profile of its samples. A profile that can't be read, or is for another
    kind of image, is ignored: the samples count as sRGB.
    """
    image = _to_8_bits(image)
    if image.mode == "LAB":
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB") if image.mode == "CMYK" else image


def keep_colours(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """Bring an image of any mode into a work mode with its samples and profile unchanged.

    CMYK, LAB and anything else whose profile does not describe a work mode is converted to sRGB;
    the profile returned with it is empty.
    """
    image = _to_8_bits(image)
    if profile and image.mode in _MODES_OF_SPACE.get(profile[_COLOUR_SPACE], ()):
        return image, profile
    return to_srgb(image, profile), b""


def match_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """Make a processed image and its source's profile fit together.

    A gray image with an RGB profile becomes RGB. A gray profile is dropped (empty) from an image
    to which an operation has added colour.
    """
    modes = _MODES_OF_SPACE.get(profile[_COLOUR_SPACE], ())
    if not profile or image.mode in modes:
        return image, profile
    if "RGB" in modes:
        return image.convert("RGBA" if has_alpha(image) else "RGB"), profile
    return image, b""


def is_gray_profile(profile: bytes) -> bool:
    """Whether the profile describes grayscale samples."""
    return profile[_COLOUR_SPACE] == b"GRAY"


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert to L, LA, RGB, RGBA, CMYK or LAB, 8 bits a sample.

    Pillow has cut 16-bit colour to 8 bits when it opened the file; only gray arrives with more.
    """
    match image.mode:
        case "CMYK" | "LAB":
            return image
        case "I" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return integer_gray_to_8_bits(image)
        case "F":
            return float_gray_to_8_bits(image)
        case "1" | "L" | "LA" | "La":
            mode = "LA" if image.has_transparency_data else "L"
        case _:
            mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert from the profile to sRGB; gray stays gray, and alpha is copied unchanged."""
    alpha = image.getchannel("A") if has_alpha(image) else None
    colours = drop_alpha(image) if alpha else image
    srgb = ImageCms.profileToProfile(colours, profile, _srgb(), outputMode="RGB")
    if srgb is None:
        raise ValueError("the profile gave no image")
    result = srgb.convert("L") if colours.mode == "L" else srgb
    if alpha:
        result.putalpha(alpha)
    return result


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

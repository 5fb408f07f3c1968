"""Colours: whatever a decoder gives becomes sRGB in L, LA, RGB or RGBA."""

import io
from functools import cache

from PIL import Image, ImageCms

from services.imaging.engine.raster.alpha import drop_alpha, has_alpha
from services.imaging.engine.raster.bit_depth import float_gray_to_8_bits, integer_gray_to_8_bits

# Where a profile says what its numbers are (ICC.1:2022, 7.2.6), and the modes that have such.
_SPACE = slice(16, 20)
_MODES = {b"RGB ": ("RGB", "RGBA"), b"GRAY": ("L", "LA")}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The same colours in L, LA, RGB or RGBA; `profile` is what the file says its numbers mean.

    A profile that can't be read, or belongs to another kind of image, is taken for none.
    """
    plain = _eight_bits(image)
    if plain.mode == "LAB":
        return _through(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), plain)
    if profile:
        try:
            return _through(ImageCms.ImageCmsProfile(io.BytesIO(profile)), plain)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return plain.convert("RGB") if plain.mode == "CMYK" else plain


def keep_colours(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """The same numbers in L, LA, RGB or RGBA, and the profile that says what they mean.

    What only a conversion brings into such a mode is converted to sRGB, which needs no profile.
    """
    plain = _eight_bits(image)
    if profile and plain.mode in _MODES.get(profile[_SPACE], ()):
        return plain, profile
    return to_srgb(plain, profile), b""


def fitting(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """The image in a mode of its profile; none goes with an image that has got colours since."""
    modes = _MODES.get(profile[_SPACE], ())
    if not profile or image.mode in modes:
        return image, profile
    if "RGB" in modes:
        return image.convert("RGBA" if has_alpha(image) else "RGB"), profile
    return image, b""


def is_gray_profile(profile: bytes) -> bool:
    """Whether a profile speaks of gray alone."""
    return profile[_SPACE] == b"GRAY"


def _eight_bits(image: Image.Image) -> Image.Image:
    """L, LA, RGB, RGBA, CMYK or LAB, eight bits each.

    Of sixteen, Pillow has cut off the lower eight as it opened the file, but for gray alone.
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


def _through(profile: ImageCms.ImageCmsProfile, image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A") if has_alpha(image) else None
    solid = drop_alpha(image) if alpha else image
    srgb = ImageCms.profileToProfile(solid, profile, _srgb(), outputMode="RGB")
    if srgb is None:
        raise ValueError("the profile gave no image")
    result = srgb.convert("L") if solid.mode == "L" else srgb
    if alpha:
        result.putalpha(alpha)
    return result


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

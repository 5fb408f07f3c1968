"""Colours: whatever a decoder gives becomes sRGB in L, LA, RGB or RGBA."""

import io
from functools import cache

from PIL import Image, ImageCms

_WHOLE_16_BITS = 65_535 / 255


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


def has_alpha(image: Image.Image) -> bool:
    """Whether the image, in a work mode, has transparency."""
    return image.mode in ("LA", "RGBA")


def on_white(image: Image.Image) -> Image.Image:
    """The image without transparency, as it looks on white."""
    if not has_alpha(image):
        return image
    opaque = image.convert(_opaque_mode(image))
    canvas = Image.new(opaque.mode, image.size, "white")
    canvas.paste(opaque, mask=image.getchannel("A"))
    return canvas


def _opaque_mode(image: Image.Image) -> str:
    return "L" if image.mode in ("L", "LA") else "RGB"


def _eight_bits(image: Image.Image) -> Image.Image:
    """L, LA, RGB, RGBA, CMYK or LAB, eight bits each."""
    match image.mode:
        case "CMYK" | "LAB":
            return image
        case "I" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return image.point(lambda value: value * (1 / _WHOLE_16_BITS) + 0.5).convert("L")
        case "1" | "L" | "LA" | "La" | "F":
            mode = "LA" if image.has_transparency_data else "L"
        case _:
            mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _through(profile: ImageCms.ImageCmsProfile, image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A") if has_alpha(image) else None
    opaque = image.convert(_opaque_mode(image)) if alpha else image
    srgb = ImageCms.profileToProfile(opaque, profile, _srgb(), outputMode="RGB")
    if srgb is None:
        raise ValueError("the profile gave no image")
    result = srgb.convert("L") if opaque.mode == "L" else srgb
    if alpha:
        result.putalpha(alpha)
    return result


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

"""Colour conversion: from any mode and colours that a decoder returns to a work mode.

The work modes are L, LA, RGB and RGBA, 8 bits a sample. Every operation takes and returns them.
"""

import io
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache

from PIL import Image, ImageCms

from services.imaging.engine.raster import icc
from services.imaging.engine.raster.alpha import drop_alpha, has_alpha
from services.imaging.engine.raster.bit_depth import integer_gray_to_8_bits
from services.imaging.engine.raster.colour_spaces import (
    BT_709,
    BT_2020,
    SRGB_CURVE,
    Curve,
    srgb_sample,
)
from services.imaging.engine.raster.colours import Colours, Space, profile_of
from services.imaging.engine.raster.hdr import Hdr, tone_mapped

_MODES_OF_SPACE = {icc.RGB: ("RGB", "RGBA"), icc.GRAY: ("L", "LA")}

# The profile of what `tone_mapped` returns.
_TONE_MAPPED = Space("Tone-mapped", BT_2020, SRGB_CURVE)

# Longer profiles are not kept in memory. Those of displays have 4 kB, of printers 0.5 to 2 MB.
_MAX_KEPT = 4 << 20


def to_srgb(image: Image.Image, colours: Colours) -> Image.Image:
    """Convert an image of any mode and these colours to sRGB in a work mode.

    An ICC profile that can't be read, or is for another kind of image, is ignored: the samples
    count as sRGB. Gray stays gray, and alpha is copied unchanged.
    """
    image = _to_8_bits(image)
    if image.mode == "LAB":
        return _convert(image, ImageCms.buildTransform(_lab(), _srgb(), "LAB", "RGB"))
    match colours:
        case Hdr():
            return _apart_from_alpha(image, lambda one: _from_hdr(one, colours))
        case Space(is_srgb=True) | b"":
            pass
        case Space():
            return _apart_from_alpha(image, lambda one: _from_space(one, colours))
        case _:
            with suppress(ImageCms.PyCMSError, OSError, ValueError):
                return _apart_from_alpha(image, lambda one: _from_profile(one, colours))
    return image.convert("RGB") if image.mode == "CMYK" else image


def keep_colours(image: Image.Image, colours: Colours) -> tuple[Image.Image, bytes]:
    """Bring an image of any mode into a work mode with its samples and profile unchanged.

    The profile of a space by numbers is made. CMYK, LAB, HDR and anything else whose profile does
    not describe a work mode is converted to sRGB; the profile returned with it is empty.
    """
    image = _to_8_bits(image)
    profile = profile_of(colours, gray=image.mode in ("L", "LA"))
    if profile and image.mode in _MODES_OF_SPACE.get(icc.space_of(profile), ()):
        return image, profile
    return to_srgb(image, colours), b""


def match_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """Make a processed image and its source's profile fit together.

    A gray image with an RGB profile becomes RGB. A gray profile is dropped (empty) from an image
    to which an operation has added colour.
    """
    modes = _MODES_OF_SPACE.get(icc.space_of(profile), ())
    if not profile or image.mode in modes:
        return image, profile
    if "RGB" in modes:
        return image.convert("RGBA" if has_alpha(image) else "RGB"), profile
    return image, b""


def is_gray_profile(profile: bytes) -> bool:
    """Return whether the profile describes grayscale samples."""
    return icc.space_of(profile) == icc.GRAY


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert to L, LA, RGB, RGBA, CMYK or LAB, 8 bits a sample.

    Pillow has cut 16-bit colour to 8 bits when it opened the file; only the gray of a PNG arrives
    with more.
    """
    match image.mode:
        case "CMYK" | "LAB":
            return image
        case "I;16":
            return integer_gray_to_8_bits(image)
        case "1" | "L" | "LA" | "La":
            mode = "LA" if image.has_transparency_data else "L"
        case _:
            mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _apart_from_alpha(
    image: Image.Image, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Convert the colours of an image; gray stays gray, and alpha is copied unchanged."""
    alpha = image.getchannel("A") if has_alpha(image) else None
    result = convert(drop_alpha(image) if alpha else image)
    if image.mode in ("L", "LA") and result.mode != "L":
        result = result.convert("L")
    if alpha:
        result.putalpha(alpha)
    return result


def _from_hdr(colours: Image.Image, hdr: Hdr) -> Image.Image:
    return _from_space(tone_mapped(colours.convert("RGB"), hdr), _TONE_MAPPED)


def _from_space(colours: Image.Image, space: Space) -> Image.Image:
    if colours.mode == "L" or space.primaries == BT_709:
        return colours.point(_curve_table(space.curve) * len(colours.getbands()))
    return _from_profile(colours, icc.rgb_profile(space.name, space.primaries, space.curve))


def _from_profile(colours: Image.Image, profile: bytes) -> Image.Image:
    transform = _transform if len(profile) <= _MAX_KEPT else _transform.__wrapped__
    return _convert(colours, transform(profile, colours.mode))


def _convert(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    result = ImageCms.applyTransform(image, transform)
    if result is None:
        raise ValueError("the profile gave no image")
    return result


@lru_cache(maxsize=4)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Return the transform to sRGB. Raises PyCMSError, OSError and ValueError.

    Making a transform takes 2 to 10 ms, as long as a small image or a frame takes to convert.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc.without_float_stages(profile)))
    return ImageCms.buildTransform(source, _srgb(), mode, "RGB")


@lru_cache(maxsize=4)
def _curve_table(curve: Curve) -> list[int]:
    return [round(255 * srgb_sample(curve.light(sample / 255))) for sample in range(256)]


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _lab() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))

"""Every operation, by what it is about."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from PIL import Image

from contracts.finishes import Finish
from contracts.looks import Look
from contracts.operations import Operation
from contracts.overlays import Overlay
from contracts.shapes import Shape
from services.imaging import finishes, looks, overlays, shapes
from services.imaging.fonts import BUNDLED, Fonts
from services.imaging.limits import DEFAULT_LIMITS, Limits
from services.imaging.tones import Curve


def apply(
    image: Image.Image,
    operation: Operation | Curve,
    limits: Limits = DEFAULT_LIMITS,
    images: Mapping[str, Image.Image] = MappingProxyType({}),
    fonts: Fonts = BUNDLED,
) -> Image.Image:
    """The image after the operation, or one that `looks.settle` gave for it.

    `images` are those that `Pipeline.images` names, decoded, upright and in sRGB: L, LA, RGB or
    RGBA. Raises InvalidOperation, ImageTooBig and NotFound.
    """
    match operation:
        case Shape():
            return shapes.apply(image, operation, limits)
        case Look() | Curve():
            return looks.apply(image, operation)
        case Finish():
            return finishes.apply(image, operation, limits)
        case Overlay():
            return overlays.apply(image, operation, images, fonts)
        case _:
            assert_never(operation)

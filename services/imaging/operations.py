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
from services.imaging.overlays import Stamp
from services.imaging.tones import Curve

Settled = Operation | Curve | Stamp

_NO_IMAGES: Mapping[str, Image.Image] = MappingProxyType({})


def settle(
    image: Image.Image,
    operation: Operation,
    images: Mapping[str, Image.Image] = _NO_IMAGES,
    fonts: Fonts = BUNDLED,
) -> Settled:
    """The operation as it is decided on this image, to be applied to others of its size.

    An animation settles on its first frame: what goes by the pixels is the same in each, and an
    overlay is drawn once.
    """
    match operation:
        case Shape():
            return shapes.settle(image, operation)
        case Look():
            return looks.settle(image, operation)
        case Overlay():
            return overlays.settle(image.size, operation, images, fonts)
        case _:
            return operation


def apply(
    image: Image.Image,
    operation: Settled,
    limits: Limits = DEFAULT_LIMITS,
    images: Mapping[str, Image.Image] = _NO_IMAGES,
    fonts: Fonts = BUNDLED,
) -> Image.Image:
    """The image after the operation, as it was asked for or as it was settled.

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
            return overlays.laid(image, overlays.settle(image.size, operation, images, fonts))
        case Stamp():
            return overlays.laid(image, operation)
        case _:
            assert_never(operation)

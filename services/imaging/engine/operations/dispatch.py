"""Every operation, by what it is about."""

from typing import assert_never

from PIL import Image

from contracts.operations.finishes import Finish
from contracts.operations.looks import Look
from contracts.operations.overlays import Overlay
from contracts.operations.pipeline import Operation
from contracts.operations.shapes import Shape
from services.imaging.engine.operations import finishes, looks, overlays, shapes
from services.imaging.engine.operations.overlays import Stamp
from services.imaging.engine.operations.resources import NOTHING, Resources
from services.imaging.engine.operations.tones import Curve
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

Settled = Operation | Curve | Stamp


def settle(image: Image.Image, operation: Operation, beside: Resources = NOTHING) -> Settled:
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
            return overlays.settle(image.size, operation, beside.images, beside.fonts)
        case _:
            return operation


def apply(
    image: Image.Image,
    operation: Settled,
    limits: Limits = DEFAULT_LIMITS,
    beside: Resources = NOTHING,
) -> Image.Image:
    """The image after the operation, as it was asked for or as it was settled.

    Raises InvalidOperation, ImageTooBig and NotFound.
    """
    match operation:
        case Shape():
            return shapes.apply(image, operation, limits)
        case Look() | Curve():
            return looks.apply(image, operation)
        case Finish():
            return finishes.apply(image, operation, limits)
        case Overlay():
            return apply(image, settle(image, operation, beside), limits)
        case Stamp():
            return overlays.laid(image, operation)
        case _:
            assert_never(operation)

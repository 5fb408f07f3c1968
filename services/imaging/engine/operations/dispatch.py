"""Apply any operation: hand it to the module of its family."""

from typing import assert_never

from PIL import Image

from contracts.operations.finishes import Finish
from contracts.operations.looks import Look
from contracts.operations.overlays import Overlay
from contracts.operations.pipeline import Operation
from contracts.operations.shapes import Shape
from services.imaging.engine.operations import finishes, looks, overlays, shapes
from services.imaging.engine.operations.overlays import NO_RESOURCES, Layer, Resources
from services.imaging.engine.operations.tones import ToneCurve
from services.imaging.engine.safety.limits import DEFAULT_LIMITS, Limits

Resolved = Operation | ToneCurve | Layer
"""An operation that no longer depends on an image's pixels."""


def resolve(
    image: Image.Image, operation: Operation, resources: Resources = NO_RESOURCES
) -> Resolved:
    """Replace what the operation would read from this image's pixels by fixed values.

    The first frame of an animation resolves an operation for all frames: each is cropped or
    stretched alike, and an overlay is drawn once. Raises InvalidOperation, ImageTooBig, NotFound.
    """
    match operation:
        case Shape():
            return shapes.resolve(image, operation)
        case Look():
            return looks.resolve(image, operation)
        case Finish():
            return operation
        case Overlay():
            return overlays.resolve(image.size, operation, resources)
        case _:
            assert_never(operation)


def apply(
    image: Image.Image,
    operation: Resolved,
    limits: Limits = DEFAULT_LIMITS,
    resources: Resources = NO_RESOURCES,
) -> Image.Image:
    """The image after the operation, which may be resolved or not.

    Raises InvalidOperation, ImageTooBig and NotFound.
    """
    match operation:
        case Shape():
            return shapes.apply(image, operation, limits)
        case Look() | ToneCurve():
            return looks.apply(image, operation)
        case Finish():
            return finishes.apply(image, operation, limits)
        case Overlay():
            return overlays.lay(image, overlays.resolve(image.size, operation, resources))
        case Layer():
            return overlays.lay(image, operation)
        case _:
            assert_never(operation)

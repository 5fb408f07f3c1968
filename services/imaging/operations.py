"""Every operation, by what it is about."""

from typing import assert_never

from PIL import Image

from contracts.looks import Look
from contracts.operations import Operation
from contracts.shapes import Shape
from services.imaging import looks, shapes
from services.imaging.limits import DEFAULT_LIMITS, Limits


def apply(image: Image.Image, operation: Operation, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """The image after the operation; raises InvalidOperation and ImageTooBig."""
    match operation:
        case Shape():
            return shapes.apply(image, operation, limits)
        case Look():
            return looks.apply(image, operation)
        case _:
            assert_never(operation)

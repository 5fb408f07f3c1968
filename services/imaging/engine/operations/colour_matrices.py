"""3 x 3 matrices on red, green and blue: sepia, saturation and hue rotation.

Sepia and hue rotation are those of CSS (Filter Effects Module Level 1); saturation keeps the luma
of ITU-R BT.601.
"""

import math
from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]

# ITU-R BT.601; Pillow's conversion to L uses the same weights.
LUMA = (0.299, 0.587, 0.114)


def sepia(amount: float) -> Matrix:
    """CSS sepia(amount): 0 is the identity, 1 full sepia."""
    rest = 1 - amount
    return (
        (0.393 + 0.607 * rest, 0.769 - 0.769 * rest, 0.189 - 0.189 * rest),
        (0.349 - 0.349 * rest, 0.686 + 0.314 * rest, 0.168 - 0.168 * rest),
        (0.272 - 0.272 * rest, 0.534 - 0.534 * rest, 0.131 + 0.869 * rest),
    )


def saturation(factor: float) -> Matrix:
    """Multiply each colour's distance from the gray of its luma by `factor`."""
    red, green, blue = (weight * (1 - factor) for weight in LUMA)
    return (
        (red + factor, green, blue),
        (red, green + factor, blue),
        (red, green, blue + factor),
    )


def hue_rotation(degrees: float) -> Matrix:
    """CSS hue-rotate(degrees)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (
        (
            0.213 + cos * 0.787 - sin * 0.213,
            0.715 - cos * 0.715 - sin * 0.715,
            0.072 - cos * 0.072 + sin * 0.928,
        ),
        (
            0.213 - cos * 0.213 + sin * 0.143,
            0.715 + cos * 0.285 + sin * 0.140,
            0.072 - cos * 0.072 - sin * 0.283,
        ),
        (
            0.213 - cos * 0.213 - sin * 0.787,
            0.715 - cos * 0.715 + sin * 0.715,
            0.072 + cos * 0.928 + sin * 0.072,
        ),
    )


def product(second: Matrix, first: Matrix) -> Matrix:
    """The matrix product: applies `first`, then `second`."""
    columns = list(zip(*first, strict=True))
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in second
    ]

"""Colours by matrix: what CSS and BT.601 say is sepia, a hue turned, a saturation."""

import math
from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]  # 3 x 3

# ITU-R BT.601, as grayscale has it.
LUMA = (0.299, 0.587, 0.114)


def sepia(amount: float) -> Matrix:
    """The matrix of the sepia() of CSS (Filter Effects Module Level 1)."""
    rest = 1 - amount
    return (
        (0.393 + 0.607 * rest, 0.769 - 0.769 * rest, 0.189 - 0.189 * rest),
        (0.349 - 0.349 * rest, 0.686 + 0.314 * rest, 0.168 - 0.168 * rest),
        (0.272 - 0.272 * rest, 0.534 - 0.534 * rest, 0.131 + 0.869 * rest),
    )


def saturation(factor: float) -> Matrix:
    """So many times as far from the gray of the same luma."""
    red, green, blue = (weight * (1 - factor) for weight in LUMA)
    return (
        (red + factor, green, blue),
        (red, green + factor, blue),
        (red, green, blue + factor),
    )


def turn(degrees: float) -> Matrix:
    """The matrix of the hue-rotate() of CSS (Filter Effects Module Level 1)."""
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


def product(one: Matrix, other: Matrix) -> Matrix:
    """The other first, then the one."""
    columns = list(zip(*other, strict=True))
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in one
    ]

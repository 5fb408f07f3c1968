"""RGB colour spaces by numbers: primaries and curves, and the matrices that follow from them.

The numbers are those of ITU-T H.273 (07/2024), tables 2 and 3; its code points are written CICP.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
"""Three rows."""

PQ, HLG = 16, 18  # code points of the curves of Rec. ITU-R BT.2100

_Point = tuple[float, float]  # x and y of CIE 1931


@dataclass(frozen=True)
class Primaries:
    """The chromaticities of white and of the three colours."""

    white: _Point
    red: _Point
    green: _Point
    blue: _Point


@dataclass(frozen=True)
class Curve:
    """Linear light by sample, both 0 to 1: (ax + b) ** gamma from `d` on, and cx below."""

    gamma: float
    a: float = 1
    b: float = 0
    c: float = 0
    d: float = 0

    def light(self, sample: float) -> float:
        """Return the linear light of a sample."""
        if sample < self.d:
            return self.c * sample
        return float((self.a * sample + self.b) ** self.gamma)


def srgb_sample(light: float) -> float:
    """Return the sample of sRGB for linear light; both are 0 to 1, and more light counts as 1."""
    if light <= 0.0031308:
        return 12.92 * light
    return float(1.055 * min(light, 1.0) ** (1 / 2.4) - 0.055)


_D65, _C, _DCI, _E = (0.3127, 0.329), (0.31, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
_SMPTE_170M = Primaries(_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07))

BT_709 = Primaries(_D65, (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))  # and sRGB
BT_2020 = Primaries(_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046))

PRIMARIES = {
    1: BT_709,
    4: Primaries(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Primaries(_D65, (0.64, 0.33), (0.29, 0.6), (0.15, 0.06)),
    6: _SMPTE_170M,
    7: _SMPTE_170M,
    8: Primaries(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: BT_2020,
    10: Primaries(_E, (1, 0), (0, 1), (0, 0)),
    11: Primaries(_DCI, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    12: Primaries(_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    22: Primaries(_D65, (0.63, 0.34), (0.295, 0.605), (0.155, 0.077)),
}
"""Primaries by code point."""

SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

CURVES = {
    4: Curve(2.2),
    5: Curve(2.8),
    7: Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: Curve(1),
    13: SRGB_CURVE,
    17: Curve(2.6, (52.37 / 48) ** (1 / 2.6)),
}
"""Curves by code point, except those of BT.709 and of high dynamic range."""

# The curve of BT.709 is that of cameras; televisions have the other one (Rec. ITU-R BT.1886).
BT_709_CURVES = (1, 6, 11, 14, 15)  # code points
BT_1886 = Curve(2.4)

# ICC.1:2022, annex E: the Bradford transform, and the white of the connection space, D50.
_BRADFORD = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
D50 = (0.9642, 1.0, 0.8249)


def to_xyz(primaries: Primaries) -> Matrix:
    """Return the matrix from linear RGB to XYZ, adapted to D50 by the Bradford transform.

    Raises ValueError for chromaticities that describe no colours.
    """
    points = (primaries.white, primaries.red, primaries.green, primaries.blue)
    if not all(0 <= part <= 1 for point in points for part in point) or not primaries.white[1]:
        raise ValueError("chromaticities are 0 to 1, and white has light")
    white, red, green, blue = ((x, y, 1 - x - y) for x, y in points)
    white = (white[0] / white[1], 1.0, white[2] / white[1])
    columns = transposed((red, green, blue))
    amounts = times(inverse(columns), white)
    cones, cones_of_d50 = times(_BRADFORD, white), times(_BRADFORD, D50)
    if not all(cones):
        raise ValueError("this white is no colour of light")
    scale = [new / old for new, old in zip(cones_of_d50, cones, strict=True)]
    adapted = product(
        inverse(_BRADFORD),
        product(((scale[0], 0, 0), (0, scale[1], 0), (0, 0, scale[2])), _BRADFORD),
    )
    diagonal = ((amounts[0], 0, 0), (0, amounts[1], 0), (0, 0, amounts[2]))
    return product(adapted, product(columns, diagonal))


def between(source: Primaries, target: Primaries) -> Matrix:
    """Return the matrix from linear RGB of one space to another. Raises ValueError as `to_xyz`."""
    return product(inverse(to_xyz(target)), to_xyz(source))


def times(matrix: Matrix, vector: Vector) -> Vector:
    """Return the product of a matrix and a column."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    x, y, z = vector
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two matrices."""
    one, two, three = (times(left, column) for column in transposed(right))
    return transposed((one, two, three))


def transposed(matrix: Matrix) -> Matrix:
    """Return a matrix whose rows are the columns of this one."""
    one, two, three = zip(*matrix, strict=True)
    return one, two, three


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse. Raises ValueError for a matrix that has none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < 1e-6:
        raise ValueError("the three colours lie on a line")
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    one, two, three = (
        (row[0] / determinant, row[1] / determinant, row[2] / determinant) for row in rows
    )
    return one, two, three


def _diagonal(numbers: Sequence[float]) -> Matrix:
    one, two, three = numbers
    return (one, 0, 0), (0, two, 0), (0, 0, three)

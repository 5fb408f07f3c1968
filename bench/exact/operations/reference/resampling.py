"""Resampling by convolution, and the sizes and boxes of a resize."""

import math
from typing import Any

import numpy as np

from bench.exact.operations.reference.pixels import Array, divided, premultiplied

Fields = dict[str, Any]

RADIUS = {"box": 0.5, "bilinear": 1.0, "hamming": 1.0, "bicubic": 2.0, "lanczos": 3.0}

# The part of what is cut off, or added, that lies at the left and above.
PARTS = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}


def kernel(name: str, x: Array) -> Array:
    """Return the weights at these distances in pixels."""
    distance = np.abs(x)
    match name:
        case "box":
            rounded = np.round(x, 9)
            return ((rounded > -0.5) & (rounded <= 0.5)).astype(float)
        case "bilinear":
            return np.maximum(0, 1 - distance)
        case "hamming":
            window = 0.54 + 0.46 * np.cos(np.pi * x)
            return np.where(distance < 1, np.sinc(x) * window, 0)
        case "bicubic":  # Keys, with a = -1/2
            near = 1.5 * distance**3 - 2.5 * distance**2 + 1
            far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
            return np.where(distance < 1, near, np.where(distance < 2, far, 0))
        case "lanczos":
            return np.where(distance < 3, np.sinc(x) * np.sinc(x / 3), 0)
    raise ValueError(name)


def weights(have: int, low: float, high: float, want: int, name: str) -> Array:
    """Return the matrix that scales the part from `low` to `high` of a line to `want` pixels."""
    centres = low + (np.arange(want) + 0.5) * (high - low) / want
    if name == "nearest":
        return np.eye(have)[np.clip(np.floor(centres).astype(int), 0, have - 1)]
    stretch = max((high - low) / want, 1.0)
    found = kernel(name, (np.arange(have)[None] + 0.5 - centres[:, None]) / stretch)
    return found / found.sum(axis=1, keepdims=True)


def scaled(picture: Array, box: tuple[float, ...], size: tuple[int, int], name: str) -> Array:
    """Scale a box (left, upper, right, lower) of the picture; colours count by alpha."""
    left, upper, right, lower = box
    across = weights(picture.shape[1], left, right, size[0], name)
    down = weights(picture.shape[0], upper, lower, size[1], name)
    return divided(np.einsum("yj,xi,jic->yxc", down, across, premultiplied(picture), optimize=True))


def half_up(length: float) -> int:
    """Return the nearest whole number, of two the larger."""
    return math.floor(length + 0.5)


def parts(fields: Fields) -> tuple[float, float]:
    """Return the parts before the picture, of width and height, by gravity."""
    named = fields["gravity"].split("_")
    across = next((PARTS[one] for one in named if one in ("left", "right")), 0.5)
    down = next((PARTS[one] for one in named if one in ("top", "bottom")), 0.5)
    return across, down


def cut_before(whole: int, kept: float, part: float, focus: float | None) -> float:
    """Return what is cut off before the kept part of a side: by gravity, or by focus."""
    if focus is None:
        return part * (whole - kept)
    return min(max(0.0, focus * whole - kept / 2), whole - kept)


def resized(picture: Array, fields: Fields, fill: Array) -> Array:
    """Resize; `fill` is the colour around a contained picture."""
    height, width = picture.shape[:2]
    name, enlarge = fields["filter"], fields["enlarge"]
    wide, high = (half_up((fields[side] or 0) * fields["dpr"]) for side in ("width", "height"))
    if not (wide and high):
        scale = wide / width if wide else high / height
        return _times(picture, scale if enlarge is True else min(1.0, scale), name)
    scales = wide / width, high / height
    most = math.inf if enlarge is True else 1.0
    match fields["fit"]:
        case "inside":
            return _times(picture, min(*scales, most), name)
        case "outside":
            return _times(picture, min(max(scales), most), name)
        case "fill":
            size = half_up(width * min(scales[0], most)), half_up(height * min(scales[1], most))
            return scaled(picture, (0, 0, width, height), size, name)
        case "contain":
            inside = _times(picture, min(*scales, most), name)
            return _contained(inside, (wide, high), fields, fill)
    return _covering(picture, (wide, high), fields)


def _times(picture: Array, scale: float, name: str) -> Array:
    height, width = picture.shape[:2]
    size = max(1, half_up(width * scale)), max(1, half_up(height * scale))
    return scaled(picture, (0, 0, width, height), size, name)


def _contained(inside: Array, size: tuple[int, int], fields: Fields, fill: Array) -> Array:
    canvas = np.tile(fill, (size[1], size[0], 1))
    height, width = inside.shape[:2]
    corner = []
    for have, got, part, focus in zip(
        size, (width, height), parts(fields), (fields["focus_x"], fields["focus_y"]), strict=True
    ):
        space = have - got
        wanted = part * space if focus is None else have / 2 - focus * got
        corner.append(int(min(max(0.0, wanted), space)))
    canvas[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = inside
    return canvas


def _covering(picture: Array, size: tuple[int, int], fields: Fields) -> Array:
    height, width = picture.shape[:2]
    if fields["enlarge"] == "crop":
        size = min(size[0], width), min(size[1], height)
    elif not fields["enlarge"]:
        shrink = min(1.0, width / size[0], height / size[1])
        size = half_up(size[0] * shrink), half_up(size[1] * shrink)
    scale = max(size[0] / width, size[1] / height)
    kept = size[0] / scale, size[1] / scale
    part = parts(fields)
    left = cut_before(width, kept[0], part[0], fields["focus_x"])
    upper = cut_before(height, kept[1], part[1], fields["focus_y"])
    if scale == 1:
        left, upper = half_up(left), half_up(upper)
    return scaled(picture, (left, upper, left + kept[0], upper + kept[1]), size, fields["filter"])

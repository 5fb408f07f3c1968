"""Operations on a picture's shape."""

import math
from typing import Any

import numpy as np
from scipy import ndimage

from bench.exact.operations.reference.pixels import Array, colour, divided, premultiplied
from bench.exact.operations.reference.resampling import (
    Fields,
    cut_before,
    half_up,
    parts,
    resized,
    scaled,
)

_MARGIN = 16  # pixels of background around a picture that is rotated


def applied(picture: Array, fields: Fields, *, alpha: bool) -> Array:
    """Apply an operation; `alpha` says whether the picture has an alpha channel."""
    match fields["op"]:
        case "resize":
            return resized(picture, fields, _fill(fields["background"], alpha=alpha))
        case "crop" if fields["left"] is None:
            return _cropped(picture, fields)
        case "crop" | "extract":
            left, top = fields["left"], fields["top"]
            return picture[top : top + fields["height"], left : left + fields["width"]]
        case "trim":
            return _trimmed(picture, fields)
        case "pad":
            return _padded(picture, fields, alpha=alpha)
        case "rotate":
            return rotated(picture, fields["degrees"], _fill(fields["background"], alpha=alpha))
        case "flip" if fields["axis"] == "vertical":
            return picture[::-1]
        case _:
            return picture[:, ::-1]


def rotated(picture: Array, degrees: float, fill: Array) -> Array:
    """Rotate clockwise about the middle, interpolated by a cubic spline."""
    if degrees % 90 == 0:
        return np.rot90(picture, -int(degrees // 90))
    height, width = picture.shape[:2]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    size = (
        math.ceil(round(abs(width * sin) + abs(height * cos), 9)),
        math.ceil(round(abs(width * cos) + abs(height * sin), 9)),
    )
    ground = premultiplied(fill[None, None])[0, 0]
    canvas = np.tile(ground, (height + 2 * _MARGIN, width + 2 * _MARGIN, 1))
    canvas[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = premultiplied(picture)
    back = np.array([[cos, -sin], [sin, cos]])  # from rows and columns of the result
    middle = (np.array(canvas.shape[:2]) - 1) / 2
    offset = middle - back @ ((np.array(size) - 1) / 2)
    bands = [
        ndimage.affine_transform(
            canvas[..., band], back, offset, size, order=3, mode="constant", cval=ground[band]
        )
        for band in range(4)
    ]
    return divided(np.clip(np.stack(bands, axis=-1), 0, 255))


def _fill(background: str | None, *, alpha: bool) -> Array:
    if background is not None:
        return colour(background)
    return np.zeros(4) if alpha else np.full(4, 255.0)


def _cropped(picture: Array, fields: Fields) -> Array:
    whole = picture.shape[1], picture.shape[0]
    kept = min(whole[0], fields["width"]), min(whole[1], fields["height"])
    focus: tuple[Any, Any] = fields["focus_x"], fields["focus_y"]
    left, top = (
        half_up(cut_before(*axis)) for axis in zip(whole, kept, parts(fields), focus, strict=True)
    )
    return picture[top : top + kept[1], left : left + kept[0]]


def _trimmed(picture: Array, fields: Fields) -> Array:
    shown = premultiplied(picture)
    ground = shown[0, 0]
    if fields["colour"] is not None:
        ground = premultiplied(colour(fields["colour"])[None, None])[0, 0]
    content = (np.abs(np.round(shown) - np.round(ground)) > fields["tolerance"]).any(axis=-1)
    if not content.any():
        return picture
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _padded(picture: Array, fields: Fields, *, alpha: bool) -> Array:
    height, width = picture.shape[:2]
    left, top = fields["left"], fields["top"]
    size = width + left + fields["right"], height + top + fields["bottom"]
    if fields["width"] or fields["height"]:
        size = max(width, fields["width"] or 0), max(height, fields["height"] or 0)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
    canvas = np.tile(_fill(fields["background"], alpha=alpha), (size[1], size[0], 1))
    if fields["blurred"]:
        canvas = _blurred_ground(picture, size)
    canvas[top : top + height, left : left + width] = picture
    return canvas


def _blurred_ground(picture: Array, size: tuple[int, int]) -> Array:
    """The picture covers the canvas, blurred by a fortieth of its longer side."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = size[0] / scale, size[1] / scale
    left, top = (width - across) / 2, (height - down) / 2
    whole = scaled(picture, (left, top, left + across, top + down), size, "bicubic")
    sigma = max(size) / 40
    return divided(ndimage.gaussian_filter(premultiplied(whole), (sigma, sigma, 0), mode="nearest"))

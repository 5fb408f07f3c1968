"""Operations on a picture's edges and background, and what is laid over it."""

import math

import numpy as np

from bench.exact.operations.reference.pixels import Array, colour, divided, premultiplied
from bench.exact.operations.reference.resampling import Fields, half_up, scaled

_FINE = 32  # a pixel of a round corner is the mean of this many rows and columns


def applied(picture: Array, fields: Fields) -> Array:
    """Apply a finish."""
    match fields["op"]:
        case "vignette":
            return _vignetted(picture, fields)
        case "round":
            return _rounded(picture, fields["radius"])
        case "border":
            width = fields["width"]
            size = picture.shape[0] + 2 * width, picture.shape[1] + 2 * width, 1
            canvas = np.tile(colour(fields["colour"]), size)
            canvas[width:-width, width:-width] = picture
            return canvas
        case "background":
            ground = np.broadcast_to(colour(fields["colour"]), picture.shape)
            return over(picture, ground)
    raise ValueError(fields["op"])


def over(upper: Array, lower: Array) -> Array:
    """Composite by Porter and Duff."""
    above, below = premultiplied(upper), premultiplied(lower)
    return divided(above + below * (1 - above[..., 3:] / 255))


def watermarked(picture: Array, fields: Fields, image: Array) -> Array:
    """Lay an image over the picture, once or as tiles."""
    height, width = picture.shape[:2]
    if fields["scale"] is not None:
        factor = min(fields["scale"] * width / image.shape[1], height / image.shape[0])
        size = half_up(image.shape[1] * factor), half_up(image.shape[0] * factor)
        image = scaled(image, (0, 0, image.shape[1], image.shape[0]), size, "lanczos")
    image = image * np.array([1, 1, 1, fields["opacity"]])
    layer = np.zeros_like(picture)
    for left, top in _corners(fields, (width, height), (image.shape[1], image.shape[0])):
        rows = np.arange(max(0, top), min(height, top + image.shape[0]))
        columns = np.arange(max(0, left), min(width, left + image.shape[1]))
        layer[np.ix_(rows, columns)] = image[np.ix_(rows - top, columns - left)]
    return over(layer, picture)


def _corners(
    fields: Fields, picture: tuple[int, int], image: tuple[int, int]
) -> list[tuple[int, int]]:
    x, y, position = fields["x"], fields["y"], fields["position"]
    if position == "tile":
        return [
            (left, top)
            for left in range(0, picture[0], image[0] + x)
            for top in range(0, picture[1], image[1] + y)
        ]
    space = picture[0] - image[0], picture[1] - image[1]
    across = {"left": x, "right": space[0] - x}
    down = {"top": y, "bottom": space[1] - y}
    named = position.split("_")
    left = next((across[one] for one in named if one in across), space[0] // 2 + x)
    top = next((down[one] for one in named if one in down), space[1] // 2 + y)
    return [(left, top)]


def _vignetted(picture: Array, fields: Fields) -> Array:
    """Blend by a smoothstep of the distance from the middle; a corner's distance is 1."""
    height, width = picture.shape[:2]
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    distance = np.sqrt((x[None] ** 2 + y[:, None] ** 2) / 2)
    begin = 1 - fields["softness"]
    part = np.clip((distance - begin) / max(1 - begin, 1e-9), 0, 1)
    strength = (fields["amount"] * part**2 * (3 - 2 * part))[..., None]
    colours = picture[..., :3] * (1 - strength) + colour(fields["colour"])[:3] * strength
    return np.concatenate([colours, picture[..., 3:]], axis=-1)


def _rounded(picture: Array, radius: float | str) -> Array:
    """Multiply alpha by the part of a pixel that lies within the round corners."""
    height, width = picture.shape[:2]
    shorter = min(width, height)
    left = top = 0
    right, bottom = width, height
    if radius == "circle":
        left, top = (width - shorter) // 2, (height - shorter) // 2
        right, bottom = left + shorter, top + shorter
        radius = shorter / 2
    elif isinstance(radius, str):
        radius = float(radius.removesuffix("%")) / 100 * shorter
    length = min(float(radius), shorter / 2)
    x = (np.arange(width * _FINE) + 0.5) / _FINE
    y = (np.arange(height * _FINE) + 0.5) / _FINE
    # The distance of a point from the straight part of its side; zero beside it.
    beyond_x = np.maximum(0, np.maximum(left + length - x, x - (right - length)))[None]
    beyond_y = np.maximum(0, np.maximum(top + length - y, y - (bottom - length)))[:, None]
    inside = beyond_x**2 + beyond_y**2 <= max(length, 1e-9) ** 2
    part = inside.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3))
    result = picture.copy()
    result[..., 3] *= part
    return result


def text_margins(picture: Array, result: Array, fields: Fields) -> str | None:
    """Describe how a text does not lie where its position puts it; None if it does."""
    changed = np.abs(premultiplied(result) - premultiplied(picture)).max(axis=-1) > 0
    if result.shape != picture.shape or not changed.any():
        return "no text is to be seen"
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    height, width = picture.shape[:2]
    found = {
        "left": columns[0],
        "right": width - 1 - columns[-1],
        "top": rows[0],
        "bottom": height - 1 - rows[-1],
    }
    bearing = fields["size"] / 8  # the space that a font has beside its letters
    for edge in fields["position"].split("_"):
        due = fields["x"] if edge in ("left", "right") else fields["y"]
        if edge in found and not due <= found[edge] <= due + bearing:
            return f"{found[edge]} pixels from the {edge} edge, and not {due}"
    if fields["position"] in ("center", "top", "bottom"):
        middle = (columns[0] + columns[-1] + 1) / 2 - width / 2
        if math.fabs(middle - fields["x"]) > bearing:
            return f"{middle} pixels right of the middle, and not {fields['x']}"
    return None

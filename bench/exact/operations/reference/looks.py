"""Operations on a picture's colours, tones and sharpness."""

import math

import numpy as np
from scipy import ndimage, special

from bench.exact.operations.reference.pixels import (
    LUMA,
    Array,
    colour,
    divided,
    luma,
    premultiplied,
)
from bench.exact.operations.reference.resampling import Fields

# Filter Effects Module Level 1, 12.1: the matrices of sepia and hue-rotate.
_SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
_HUE = np.array([[0.213, 0.715, 0.072]] * 3)
_HUE_SIN = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])


def applied(picture: Array, fields: Fields) -> Array:
    """Apply an operation; alpha stays, except that a blur and a pixelation spread it."""
    match fields["op"]:
        case "blur":
            return divided(blurred(premultiplied(picture), fields["radius"]))
        case "sharpen":
            changed = _sharpened(picture, fields)
        case "pixelate":
            return _pixelated(picture, fields["size"])
        case _:
            changed = _coloured(picture, fields)
    return np.concatenate([np.clip(changed, 0, 255), picture[..., 3:]], axis=-1)


def blurred(picture: Array, sigma: float) -> Array:
    """Convolve with a Gaussian; beyond its edges a picture is as at its edges.

    The samples of a narrow Gaussian have not its variance. The discrete Gaussian has: Lindeberg,
    Scale-Space for Discrete Signals, 1990.
    """
    reach = math.ceil(6 * sigma) + 6
    weights = special.ive(np.arange(-reach, reach + 1), sigma**2)
    for axis in (0, 1):
        picture = ndimage.convolve1d(picture, weights / weights.sum(), axis, mode="nearest")
    return picture


def _coloured(picture: Array, fields: Fields) -> Array:
    colours, tones = picture[..., :3], luma(picture)[..., None]
    match fields["op"]:
        case "grayscale":
            return np.repeat(colours @ LUMA[:, None], 3, axis=-1)
        case "sepia":
            return colours @ _mixed(_SEPIA, fields["amount"]).T
        case "duotone":
            low, high = colour(fields["shadows"])[:3], colour(fields["highlights"])[:3]
            return low + (high - low) * tones / 255
        case "tint":
            return _tinted(colours, tones, fields)
        case "negate":
            return 255 - colours
        case "adjust":
            return _adjusted(colours, fields)
        case "posterize":
            steps = fields["levels"] - 1
            return np.round(colours * steps / 255) * 255 / steps
        case "autocontrast":
            return _stretched(picture, fields["cutoff"])
        case "equalize":
            return _equalized(picture)
    raise ValueError(fields["op"])


def _mixed(matrix: Array, amount: float) -> Array:
    return amount * matrix + (1 - amount) * np.eye(3)


def _tinted(colours: Array, tones: Array, fields: Fields) -> Array:
    """Two straight lines: from black to the colour at its luma, and on to white."""
    named = colour(fields["colour"])[:3]
    middle = float(named @ LUMA)
    ends = [0.0, middle, 255.0] if 0 < middle < 255 else [0.0, 255.0]
    toned = [
        np.interp(tones[..., 0], ends, [0.0, band, 255.0] if len(ends) == 3 else [0.0, 255.0])
        for band in named
    ]
    return fields["amount"] * np.stack(toned, axis=-1) + (1 - fields["amount"]) * colours


def _adjusted(colours: Array, fields: Fields) -> Array:
    bright = np.clip(colours * fields["brightness"], 0, 255)
    contrasted = np.clip((bright - 127.5) * fields["contrast"] + 127.5, 0, 255)
    toned = 255 * (contrasted / 255) ** (1 / fields["gamma"])
    gray = np.tile(LUMA, (3, 1))
    saturation = gray + fields["saturation"] * (np.eye(3) - gray)
    angle = math.radians(fields["hue"])
    hue = _HUE + math.cos(angle) * (np.eye(3) - _HUE) + math.sin(angle) * _HUE_SIN
    return toned @ (hue @ saturation).T


def _stretched(picture: Array, cutoff: float) -> Array:
    shown = np.sort(luma(picture)[picture[..., 3] > 0])
    ignored = math.floor(shown.size * cutoff / 100)
    low, high = shown[ignored], shown[-1 - ignored]
    if low >= high:
        return picture[..., :3]
    return (picture[..., :3] - low) * 255 / (high - low)


def _equalized(picture: Array) -> Array:
    shown = luma(picture)[picture[..., 3] > 0].astype(int)
    counts = np.bincount(shown, minlength=256)
    darkest = counts[shown.min()]
    if darkest == shown.size:
        return picture[..., :3]
    curve = (np.cumsum(counts) - darkest) * 255 / (shown.size - darkest)
    return np.clip(curve, 0, 255)[picture[..., :3].astype(int)]


def _sharpened(picture: Array, fields: Fields) -> Array:
    soft = divided(blurred(premultiplied(picture), fields["radius"]))
    difference = picture[..., :3] - soft[..., :3]
    if fields["threshold"]:
        far = np.abs(difference) @ LUMA > fields["threshold"]
        difference = difference * far[..., None]
    return picture[..., :3] + fields["amount"] * difference


def _pixelated(picture: Array, side: int) -> Array:
    shown = premultiplied(picture)
    result = np.empty_like(shown)
    for top in range(0, shown.shape[0], side):
        for left in range(0, shown.shape[1], side):
            square = np.s_[top : top + side, left : left + side]
            result[square] = shown[square].mean(axis=(0, 1))
    return divided(result)

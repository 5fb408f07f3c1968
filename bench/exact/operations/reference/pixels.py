"""Pictures as arrays, and how far two are apart."""

import math
from pathlib import Path
from typing import Any

import numpy as np

Array = Any

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def read(picture: dict[str, Any]) -> Array:
    """Read the samples of a picture: bytes, red, green, blue and alpha of each pixel in rows."""
    samples = np.frombuffer(Path(picture["path"]).read_bytes(), np.uint8)
    return samples.reshape(picture["height"], picture["width"], 4).astype(float)


def premultiplied(picture: Array) -> Array:
    """Return the picture with its colours multiplied by alpha."""
    alpha = picture[..., 3:]
    return np.concatenate([picture[..., :3] * alpha / 255, alpha], axis=-1)


def divided(picture: Array) -> Array:
    """Undo `premultiplied`; the colour of transparent pixels is black."""
    alpha = np.clip(picture[..., 3:], 0, 255)
    colours = np.divide(
        picture[..., :3] * 255, alpha, out=np.zeros_like(picture[..., :3]), where=alpha > 0
    )
    return np.concatenate([np.clip(colours, 0, 255), alpha], axis=-1)


def luma(picture: Array) -> Array:
    """Return the luma of each pixel in whole levels."""
    return np.round(picture[..., :3] @ LUMA)


def colour(text: str) -> Array:
    """Return the samples of #rrggbb or #rrggbbaa."""
    digits = text.removeprefix("#").ljust(8, "f")
    return np.array([int(digits[start : start + 2], 16) for start in (0, 2, 4, 6)], float)


def difference(ours: Array, theirs: Array, most: float, decibels: float) -> str | None:
    """Describe how two pictures differ beyond this; None if they don't.

    `most` levels at any pixel, and a ratio of at least so many decibels of the largest signal to
    the noise of all pixels. Each pixel counts by its alpha.
    """
    if ours.shape != theirs.shape:
        return "{1} x {0} pixels, and not {4} x {3}".format(*ours.shape, *theirs.shape)
    error = premultiplied(ours) - premultiplied(np.clip(theirs, 0, 255))
    peak, found = float(np.abs(error).max()), psnr(error)
    if peak <= most and found >= decibels:
        return None
    return f"{found:.1f} dB, {peak:.1f} levels at most, where {decibels} dB and {most} are due"


def psnr(error: Array) -> float:
    """Return the peak signal-to-noise ratio in decibels."""
    noise = float(np.mean(np.square(error)))
    return 10 * math.log10(255**2 / noise) if noise else math.inf

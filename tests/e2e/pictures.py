"""Synthetic photographs for the tests."""

import io
import random

from PIL import Image


def photograph(width: int = 640, height: int = 480, *, seed: int = 1, quality: int = 85) -> bytes:
    """Return a JPEG of this size in pixels, with detail everywhere; each seed gives another."""
    noise = random.Random(seed)
    small = Image.new("RGB", (16, 12))
    small.putdata([tuple(noise.randrange(256) for _ in range(3)) for _ in range(16 * 12)])
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()

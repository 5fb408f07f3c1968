"""Search for a quality: the best that fits a size in bytes, or the lowest that looks right.

Both searches encode pixels that are already decoded, a bounded number of times.
"""

import io
from collections.abc import Callable

from PIL import Image

from contracts.errors import InvalidOperation
from services.imaging.engine.encoding.ssim import luma_of, similarity

Encode = Callable[[int], bytes]
"""Encodes one image at a quality from 1 to 100."""

TARGET_SIMILARITY = 0.96
"""The SSIM of a photograph of 720 pixels as a JPEG of quality 75 to 80."""

# The qualities that `lowest_good_quality` chooses from: 19, which takes 5 encodes.
_LOWEST, _HIGHEST, _STEP = 40, 95, 3
_CLOSE_ENOUGH = 0.92  # of `max_bytes`: a better quality is not worth another encode


def encode_within(encode: Encode, max_bytes: int, quality: int) -> bytes:
    """Return the best result of `quality` or below that has at most `max_bytes`.

    A result that uses 92 percent of `max_bytes` ends the search, which encodes at most 8 times.
    Raises InvalidOperation if quality 1 is too large.
    """
    low, high, guess = 1, quality, quality
    best: bytes | None = None
    while low <= high:
        data = encode(guess)
        if len(data) <= max_bytes:
            best, low = data, guess + 1
            if len(data) >= max_bytes * _CLOSE_ENOUGH:
                break
        else:
            high = guess - 1
        guess = (low + high) // 2
    if best is None:
        raise too_large(len(data), max_bytes, "at the lowest quality; make it smaller")
    return best


def too_large(size: int, max_bytes: int, how: str) -> InvalidOperation:
    """Return the error for a result of `size` bytes; `how` says how the result was encoded."""
    return InvalidOperation(
        f"max_bytes: the result has {size:,} bytes {how}; {max_bytes:,} are asked."
    )


def lowest_good_quality(image: Image.Image, encode: Encode) -> int:
    """Return the lowest quality, 40 to 95, whose result has `TARGET_SIMILARITY` to the image.

    Returns 95 if none has. Encodes and decodes at most 5 times.
    """
    original = luma_of(image)
    low, high = 0, (_HIGHEST - _LOWEST + _STEP - 1) // _STEP
    while low < high:
        middle = (low + high) // 2
        with Image.open(io.BytesIO(encode(_LOWEST + middle * _STEP))) as candidate:
            if similarity(original, luma_of(candidate)) >= TARGET_SIMILARITY:
                high = middle
            else:
                low = middle + 1
    return min(_LOWEST + low * _STEP, _HIGHEST)

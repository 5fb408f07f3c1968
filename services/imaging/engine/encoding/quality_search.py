"""Looking for a quality: the best that fits into so many bytes, the least that looks right.

Both take pixels that are there already, and encode them a bounded number of times.
"""

import io
from collections.abc import Callable

from PIL import Image

from contracts.errors import InvalidOperation
from services.imaging.engine.encoding.ssim import luma_of, similarity

Encode = Callable[[int], bytes]
"""A file of the quality asked for, 1 to 100."""

TARGET = 0.96
"""The likeness at which a photograph at 720 pixels has JPEG quality 75 to 80."""

_POOREST, _RICHEST, _STEP = 40, 95, 3  # 19 qualities to choose from, which takes 5 encodes
_ENOUGH = 0.92  # of a budget: what is left is not worth another encode


def within(encode: Encode, most: int, quality: int) -> bytes:
    """The best of `quality` and below that has `most` bytes or less, or 8 percent less than that.

    Encodes eight times at most. Raises InvalidOperation when even the poorest is too large.
    """
    low, high, guess = 1, quality, quality
    best: bytes | None = None
    while low <= high:
        data = encode(guess)
        if len(data) <= most:
            best, low = data, guess + 1
            if len(data) >= most * _ENOUGH:
                break
        else:
            high = guess - 1
        guess = (low + high) // 2
    if best is None:
        raise too_large(len(data), most, "at the lowest quality; make it smaller")
    return best


def too_large(size: int, most: int, how: str) -> InvalidOperation:
    """That a result does not fit."""
    return InvalidOperation(f"max_bytes: the result has {size:,} bytes {how}; {most:,} are asked.")


def good_enough(image: Image.Image, encode: Encode) -> int:
    """The least quality, from 40 to 95, whose result is as like the image as `TARGET` asks.

    Encodes and decodes five times at most.
    """
    original = luma_of(image)
    low, high = 0, (_RICHEST - _POOREST + _STEP - 1) // _STEP
    while low < high:
        middle = (low + high) // 2
        with Image.open(io.BytesIO(encode(_POOREST + middle * _STEP))) as candidate:
            if similarity(original, luma_of(candidate)) >= TARGET:
                high = middle
            else:
                low = middle + 1
    return min(_POOREST + low * _STEP, _RICHEST)

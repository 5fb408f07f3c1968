"""A picture in a few bytes: one that shows it blurred, one that is the same for like pictures."""

import base64
import math
from collections.abc import Sequence

from PIL import Image
from PIL.Image import Resampling

_MOST = 100
_LUMA, _LUMA_BESIDE_ALPHA = 7, 5


def dhash(image: Image.Image) -> str:
    """64 bits in hex: whether luma rises, row by row, over 9 x 8 pixels.

    The difference hash that N. Krawetz described, as the package ImageHash writes it.
    """
    luma = image.convert("L").resize((9, 8), Resampling.LANCZOS).tobytes()
    rises = (luma[9 * y + x + 1] > luma[9 * y + x] for y in range(8) for x in range(8))
    number = 0
    for bit in rises:
        number = number << 1 | bit
    return f"{number:016x}"


def thumbhash(image: Image.Image) -> str:
    """The ThumbHash of an image in L, LA, RGB or RGBA, up to 100 pixels a side, in base64.

    By E. Wallace, 2023: the lowest frequencies of luma, of two colour differences and of the
    transparency, and the shape of the image.
    """
    width, height = image.size
    assert max(width, height) <= _MOST
    red, green, blue, alpha = (_unit(band) for band in image.convert("RGBA").split())
    total = sum(alpha)
    mean = [
        sum(map(lambda value, a: value * a, band, alpha)) / total if total else 0.0
        for band in (red, green, blue)
    ]
    # What is transparent is filled with the mean colour.
    red, green, blue = (
        [base + (value - base) * a for value, a in zip(band, alpha, strict=True)]
        for band, base in zip((red, green, blue), mean, strict=True)
    )
    colours = list(zip(red, green, blue, strict=True))
    has_alpha = total < width * height
    most = _LUMA_BESIDE_ALPHA if has_alpha else _LUMA
    across = max(1, _round(most * width / max(width, height)))
    down = max(1, _round(most * height / max(width, height)))

    luma = _Waves([sum(c) / 3 for c in colours], width, max(3, across), max(3, down))
    yellow = _Waves([(r + g) / 2 - b for r, g, b in colours], width, 3, 3)
    reddish = _Waves([r - g for r, g, _ in colours], width, 3, 3)
    lies = width > height
    head = (
        _round(63 * luma.mean)
        | _round(31.5 + 31.5 * yellow.mean) << 6
        | _round(31.5 + 31.5 * reddish.mean) << 12
        | _round(31 * luma.scale) << 18
        | has_alpha << 23
    )
    shape = (
        (down if lies else across)
        | _round(63 * yellow.scale) << 3
        | _round(63 * reddish.scale) << 9
        | lies << 15
    )
    written = head.to_bytes(3, "little") + shape.to_bytes(2, "little")
    waves = [luma, yellow, reddish]
    if has_alpha:
        veil = _Waves(alpha, width, 5, 5)
        written += bytes([_round(15 * veil.mean) | _round(15 * veil.scale) << 4])
        waves.append(veil)
    halves = [_round(15 * value) for one in waves for value in one.values] + [0]
    pairs = zip(halves[::2], halves[1::2], strict=False)
    return base64.b64encode(written + bytes(low | high << 4 for low, high in pairs)).decode()


class _Waves:
    """A channel's lowest frequencies: its mean, and the others as parts of the strongest."""

    def __init__(self, channel: Sequence[float], width: int, across: int, down: int) -> None:
        height = len(channel) // width
        rows = [channel[y * width : (y + 1) * width] for y in range(height)]
        # Across first, then down, which takes a fraction of both at once.
        partly = [
            [_dot(row, wave) for row in rows]
            for wave in (_wave(width, number) for number in range(across))
        ]
        found = [
            _dot(partly[x], _wave(height, y)) / (width * height)
            for y in range(down)
            for x in range(across)
            if x * down < across * (down - y)
        ]
        self.mean, *others = found
        self.scale = max(map(abs, others))
        self.values = [0.5 + 0.5 * value / self.scale if self.scale else 0.0 for value in others]


def _wave(length: int, number: int) -> list[float]:
    return [math.cos(math.pi / length * number * (at + 0.5)) for at in range(length)]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _unit(band: Image.Image) -> list[float]:
    return [value / 255 for value in band.tobytes()]


def _round(value: float) -> int:
    # Python's own goes to the even neighbour.
    return math.floor(value + 0.5)

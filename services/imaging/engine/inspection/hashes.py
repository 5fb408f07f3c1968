"""Two hashes of an image: a dHash finds similar images, a ThumbHash is a blurred placeholder."""

import base64
import math
from collections.abc import Sequence

from PIL import Image
from PIL.Image import Resampling

from contracts.operations.sizes import round_half_up

_MAX_SIDE = 100
_LUMA_WAVES, _LUMA_WAVES_WITH_ALPHA = 7, 5


def dhash(image: Image.Image) -> str:
    """64 bits in hex: whether luma rises from pixel to pixel, row by row, at 9 x 8 pixels.

    The difference hash that N. Krawetz described, in the notation of the package ImageHash.
    Similar images differ in few bits.
    """
    luma = image.convert("L").resize((9, 8), Resampling.LANCZOS).tobytes()
    rises = (luma[9 * y + x + 1] > luma[9 * y + x] for y in range(8) for x in range(8))
    number = 0
    for bit in rises:
        number = number << 1 | bit
    return f"{number:016x}"


def thumbhash(image: Image.Image) -> str:
    """The ThumbHash, in base64, of an image in L, LA, RGB or RGBA of at most 100 pixels a side.

    By E. Wallace, 2023: the shape of the image, and the lowest frequencies of luma, of two colour
    differences (yellow - blue and red - green) and of alpha.
    """
    width, height = image.size
    assert max(width, height) <= _MAX_SIDE
    red, green, blue, alpha = (_to_unit(band) for band in image.convert("RGBA").split())
    total_alpha = sum(alpha)
    mean = [
        sum(map(lambda value, a: value * a, band, alpha)) / total_alpha if total_alpha else 0.0
        for band in (red, green, blue)
    ]
    # Transparent pixels get the mean colour.
    red, green, blue = (
        [base + (value - base) * a for value, a in zip(band, alpha, strict=True)]
        for band, base in zip((red, green, blue), mean, strict=True)
    )
    colours = list(zip(red, green, blue, strict=True))
    has_alpha = total_alpha < width * height
    most = _LUMA_WAVES_WITH_ALPHA if has_alpha else _LUMA_WAVES
    across = max(1, round_half_up(most * width / max(width, height)))
    down = max(1, round_half_up(most * height / max(width, height)))

    luma = _Spectrum([sum(c) / 3 for c in colours], width, max(3, across), max(3, down))
    yellow_blue = _Spectrum([(r + g) / 2 - b for r, g, b in colours], width, 3, 3)
    red_green = _Spectrum([r - g for r, g, _ in colours], width, 3, 3)
    is_landscape = width > height
    header = (
        round_half_up(63 * luma.mean)
        | round_half_up(31.5 + 31.5 * yellow_blue.mean) << 6
        | round_half_up(31.5 + 31.5 * red_green.mean) << 12
        | round_half_up(31 * luma.scale) << 18
        | has_alpha << 23
    )
    shape = (
        (down if is_landscape else across)
        | round_half_up(63 * yellow_blue.scale) << 3
        | round_half_up(63 * red_green.scale) << 9
        | is_landscape << 15
    )
    result = header.to_bytes(3, "little") + shape.to_bytes(2, "little")
    spectra = [luma, yellow_blue, red_green]
    if has_alpha:
        opacity = _Spectrum(alpha, width, 5, 5)
        result += bytes([round_half_up(15 * opacity.mean) | round_half_up(15 * opacity.scale) << 4])
        spectra.append(opacity)
    nibbles = [round_half_up(15 * value) for one in spectra for value in one.values] + [0]
    pairs = zip(nibbles[::2], nibbles[1::2], strict=False)
    return base64.b64encode(result + bytes(low | high << 4 for low, high in pairs)).decode()


class _Spectrum:
    """The lowest frequencies of a channel, by the discrete cosine transform."""

    def __init__(self, channel: Sequence[float], width: int, across: int, down: int) -> None:
        """`across` and `down` are how many frequencies of each axis; their upper triangle is kept.

        `mean` is the channel's mean, `scale` the largest other coefficient, and `values` are all
        others on a scale from 0 (-`scale`) to 1 (+`scale`).
        """
        height = len(channel) // width
        rows = [channel[y * width : (y + 1) * width] for y in range(height)]
        # Transform the rows, then the columns: a fraction of the work of both at once.
        transformed_rows = [
            [_dot(row, wave) for row in rows]
            for wave in (_cosine_wave(width, frequency) for frequency in range(across))
        ]
        coefficients = [
            _dot(transformed_rows[x], _cosine_wave(height, y)) / (width * height)
            for y in range(down)
            for x in range(across)
            if x * down < across * (down - y)
        ]
        self.mean, *others = coefficients
        self.scale = max(map(abs, others))
        self.values = [0.5 + 0.5 * value / self.scale if self.scale else 0.0 for value in others]


def _cosine_wave(length: int, frequency: int) -> list[float]:
    return [math.cos(math.pi / length * frequency * (x + 0.5)) for x in range(length)]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _to_unit(band: Image.Image) -> list[float]:
    return [value / 255 for value in band.tobytes()]

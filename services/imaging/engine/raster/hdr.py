"""High dynamic range (Rec. ITU-R BT.2100: PQ and HLG) mapped to standard dynamic range.

The tone mapping is the reference white tone mapping operator of SMPTE ST 2094-50, annex C, for a
display without headroom. It works on the largest of red, green and blue in linear light of
BT.2020, and scales the three alike, so that hues stay. White is 203 cd/m2 (Report ITU-R BT.2408).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce

from PIL import Image, ImageChops, ImageFilter

from services.imaging.engine.raster.bit_depth import row_bands
from services.imaging.engine.raster.colour_spaces import (
    BT_2020,
    HLG,
    PQ,
    Primaries,
    between,
    srgb_sample,
    times,
    to_xyz,
)

WHITE = 203.0  # cd/m2 of diffuse white
USUAL_PEAK = 1000.0  # cd/m2, if the file does not say

# BT.2100, table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_MAX_PQ = 10_000.0  # cd/m2
# BT.2100, table 5, for a display of 1,000 cd/m2.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_PEAK, _SYSTEM_GAMMA = 1000.0, 1.2

# ST 2094-50, annex C: how much of the range the curve between knee and peak takes.
_KAPPA = 0.65
# Finer tables give the same picture: PQ samples are nearly linear in samples of another space.
_GRID = 17


@dataclass(frozen=True)
class Hdr:
    """The colours of an image with a high dynamic range."""

    name: str
    primaries: Primaries
    transfer: int  # PQ or HLG, as in H.273
    peak: float = USUAL_PEAK  # cd/m2 of the brightest pixel


def tone_mapped(colours: Image.Image, hdr: Hdr) -> Image.Image:
    """Map an image in RGB to standard range: to the primaries of BT.2020 and the curve of sRGB."""
    table = _tone_table(_HLG_PEAK if hdr.transfer == HLG else _MAX_PQ, hdr.peak)
    result = Image.new("RGB", colours.size)
    for top, rows in row_bands(colours):
        if hdr.transfer != PQ or hdr.primaries != BT_2020:
            rows = rows.filter(_to_pq(hdr.primaries, hdr.transfer))
        bands = rows.split()
        largest = reduce(ImageChops.lighter, bands)
        mapped = [_looked_up(band, largest, table) for band in bands]
        result.paste(Image.merge("RGB", mapped), (0, top))
    return result


def _looked_up(band: Image.Image, other: Image.Image, table: bytes) -> Image.Image:
    """Return a band of `table[256 * other + band]`, by reading both as one 32-bit sample."""
    zero = Image.new("L", band.size)
    both = Image.merge("RGBA", (band, other, zero, zero)).tobytes()
    # Little-endian, so that the first band is the lowest byte.
    return Image.frombytes("I", band.size, both, "raw", "I;32").point(table, "L")


@lru_cache(maxsize=4)
def _tone_table(brightest: float, peak: float) -> bytes:
    """Return the result of each sample beside each largest sample of its pixel.

    Samples are PQ, and 255 is `brightest`, in cd/m2. Entry 256 * largest + sample is in the curve
    of sRGB; those of a sample above the largest are 0.
    """
    top = _pq_sample(brightest)
    light = [_pq_light(top * sample / 255) / WHITE for sample in range(256)]
    curve = _tone_curve(peak / WHITE)
    table = bytearray(65_536)
    for largest in range(1, 256):
        gain = curve(light[largest]) / light[largest]
        for sample in range(largest + 1):
            table[256 * largest + sample] = round(255 * srgb_sample(light[sample] * gain))
    return bytes(table)


def _tone_curve(peak: float) -> Callable[[float], float]:
    """Return the operator, for light and a peak in multiples of white (formulas C.1 to C.5).

    Up to white it is a line; a quadratic Bezier curve from there reaches 1 at the peak.
    """
    if peak <= 1:
        return lambda light: min(light, 1.0)
    knee = 1 - 0.5 * min(math.log(peak) / math.log(USUAL_PEAK / WHITE), 1)
    middle_x, middle_y = 1 - _KAPPA + _KAPPA / knee, (1 - _KAPPA) * knee + _KAPPA
    # x = 1 + bx t + ax t^2, and y alike.
    ax, bx = 1 - 2 * middle_x + peak, 2 * middle_x - 2
    ay, by = knee - 2 * middle_y + 1, 2 * middle_y - 2 * knee

    def mapped(light: float) -> float:
        if light <= 1:
            return light * knee
        if light >= peak:
            return 1.0
        # The positive root in the form that also holds where ax is 0.
        root = math.sqrt(bx * bx + 4 * ax * (light - 1))
        t = 2 * (light - 1) / (bx + root)
        return knee + by * t + ay * t * t

    return mapped


@lru_cache(maxsize=4)
def _to_pq(primaries: Primaries, transfer: int) -> ImageFilter.Color3DLUT:
    """Return a filter from samples of other primaries or of HLG to samples of BT.2020 and PQ."""
    matrix = between(primaries, BT_2020)
    luma = to_xyz(BT_2020)[1]
    top = _pq_sample(_HLG_PEAK if transfer == HLG else _MAX_PQ)

    def converted(*samples: float) -> tuple[float, float, float]:
        red, green, blue = (
            _hlg_scene(sample) if transfer == HLG else _pq_light(sample) for sample in samples
        )
        linear = times(matrix, (red, green, blue))
        red, green, blue = (max(0.0, part) for part in linear)
        if transfer == HLG:
            # The opto-optical transfer function: from the light of the scene to the display's.
            luminance = luma[0] * red + luma[1] * green + luma[2] * blue
            scale = _HLG_PEAK * luminance ** (_SYSTEM_GAMMA - 1)
            red, green, blue = red * scale, green * scale, blue * scale
        return _pq_sample(red) / top, _pq_sample(green) / top, _pq_sample(blue) / top

    return ImageFilter.Color3DLUT.generate(_GRID, converted)


def _pq_light(sample: float) -> float:
    """Return the light of a PQ sample, in cd/m2."""
    power = sample ** (1 / _M2)
    return float(_MAX_PQ * (max(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1))


def _pq_sample(light: float) -> float:
    power = (light / _MAX_PQ) ** _M1
    return float(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _hlg_scene(sample: float) -> float:
    """Return the light of the scene for an HLG sample; 1 is the brightest."""
    return sample * sample / 3 if sample <= 0.5 else (math.exp((sample - _C) / _A) + _B) / 12

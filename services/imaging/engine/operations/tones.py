"""Tones and colours by table and by matrix: what the looks are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageColor

from services.imaging.engine.operations.colour_matrices import Matrix
from services.imaging.engine.raster.alpha import has_alpha


@dataclass(frozen=True)
class Curve:
    """What each of the 256 tones becomes, in every channel: a look that has been decided on."""

    tones: tuple[int, ...]

    @classmethod
    def of(cls, tones: Sequence[float]) -> Self:
        """The curve through these, rounded and kept between black and white."""
        return cls(tuple(round(min(255.0, max(0.0, tone))) for tone in tones))


SAME = Curve(tuple(range(256)))


def bent(image: Image.Image, curve: Curve) -> Image.Image:
    """Every channel through the curve; the transparency stays."""
    if curve == SAME:
        return image
    alpha = [SAME] if has_alpha(image) else []
    bands = [curve] * (len(image.getbands()) - len(alpha)) + alpha
    return image.point([tone for band in bands for tone in band.tones])


def stretched(histogram: Sequence[int], cutoff: float) -> Curve:
    """From the darkest tone to black, from the lightest to white.

    `cutoff` percent of the pixels are left out of account at either end.
    """
    darkest = _first(histogram, cutoff)
    lightest = 255 - _first(histogram[::-1], cutoff)
    if darkest >= lightest:
        return SAME
    return Curve.of([(tone - darkest) * 255 / (lightest - darkest) for tone in range(256)])


def spread(histogram: Sequence[int]) -> Curve:
    """Every tone to where it stands among all pixels, the darkest to black, the rest evenly."""
    darkest = next((count for count in histogram if count), 0)
    others = sum(histogram) - darkest
    if others == 0:
        return SAME
    below = -darkest
    tones = []
    for count in histogram:
        below += count
        tones.append(below * 255 / others)
    return Curve.of(tones)


def histogram(image: Image.Image) -> list[int]:
    """How many pixels have each luma; what is wholly transparent does not count."""
    return image.convert("L").histogram(image.getchannel("A") if has_alpha(image) else None)


def mixed(image: Image.Image, matrix: Matrix) -> Image.Image:
    """Every colour times the matrix, in RGB or RGBA; the transparency stays."""
    rows = tuple(number for row in matrix for number in (*row, 0.0))
    return _as_opaque(image, image.convert("RGB").convert("RGB", rows))


def printed(image: Image.Image, colours: Sequence[Sequence[float]]) -> Image.Image:
    """Every luma as one of 256 colours, in RGB or RGBA; the transparency stays."""
    luma = image.convert("L")
    bands = [luma.point(Curve.of(band).tones) for band in zip(*colours, strict=True)]
    return _as_opaque(image, Image.merge("RGB", bands))


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour of the contracts, without its transparency."""
    red, green, blue, *_ = ImageColor.getrgb(colour)
    return red, green, blue


def is_gray(colour: str) -> bool:
    """Whether an image without colours can hold it."""
    return len(set(rgb(colour))) == 1


def holding(image: Image.Image, colour: str) -> Image.Image:
    """The image in a mode that can hold the colour, too."""
    if is_gray(colour) or image.mode in ("RGB", "RGBA"):
        return image
    return image.convert("RGBA" if has_alpha(image) else "RGB")


def _first(histogram: Sequence[int], cutoff: float) -> int:
    left_out = sum(histogram) * cutoff / 100
    for tone, count in enumerate(histogram):
        left_out -= count
        if left_out < 0:
            return tone
    return 255


def _as_opaque(image: Image.Image, result: Image.Image) -> Image.Image:
    if has_alpha(image):
        result.putalpha(image.getchannel("A"))
    return result

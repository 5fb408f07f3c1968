"""Change tones and colours by lookup table and by matrix: the tools of the looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from PIL import Image, ImageColor

from services.imaging.engine.operations.colour_matrices import Matrix
from services.imaging.engine.raster.alpha import has_alpha


@dataclass(frozen=True)
class ToneCurve:
    """A lookup table for the samples of every channel but alpha."""

    tones: tuple[int, ...]
    """The new tone, 0 to 255, of each of the 256 tones."""

    @classmethod
    def of(cls, tones: Sequence[float]) -> Self:
        """Round 256 tones and clamp them to 0 to 255."""
        return cls(tuple(round(min(255.0, max(0.0, tone))) for tone in tones))


IDENTITY = ToneCurve(tuple(range(256)))


def apply_curve(image: Image.Image, curve: ToneCurve) -> Image.Image:
    """Look up every sample in the curve; alpha stays."""
    if curve == IDENTITY:
        return image
    alpha = [IDENTITY] if has_alpha(image) else []
    curves = [curve] * (len(image.getbands()) - len(alpha)) + alpha
    return image.point([tone for curve in curves for tone in curve.tones])


def stretching_curve(histogram: Sequence[int], cutoff: float) -> ToneCurve:
    """The curve that makes the darkest tone black and the lightest white.

    At either end, `cutoff` percent of the pixels are ignored. A single tone stays as it is.
    """
    darkest = _first_tone(histogram, cutoff)
    lightest = 255 - _first_tone(histogram[::-1], cutoff)
    if darkest >= lightest:
        return IDENTITY
    return ToneCurve.of([(tone - darkest) * 255 / (lightest - darkest) for tone in range(256)])


def equalizing_curve(histogram: Sequence[int]) -> ToneCurve:
    """The curve that makes all tones equally frequent: the cumulative histogram.

    The darkest tone becomes black. A single tone stays as it is.
    """
    darkest = next((count for count in histogram if count), 0)
    others = sum(histogram) - darkest
    if others == 0:
        return IDENTITY
    below = -darkest
    tones = []
    for count in histogram:
        below += count
        tones.append(below * 255 / others)
    return ToneCurve.of(tones)


def luma_histogram(image: Image.Image) -> list[int]:
    """Return the number of pixels of each luma; pixels of alpha 0 are not counted."""
    return image.convert("L").histogram(image.getchannel("A") if has_alpha(image) else None)


def apply_matrix(image: Image.Image, matrix: Matrix) -> Image.Image:
    """Multiply every colour by the matrix; the result is RGB or RGBA, and alpha stays."""
    rows = tuple(number for row in matrix for number in (*row, 0.0))
    return _with_alpha_of(image, image.convert("RGB").convert("RGB", rows))


def map_luma(image: Image.Image, colours: Sequence[Sequence[float]]) -> Image.Image:
    """Replace every luma by one of 256 RGB colours; the result is RGB or RGBA, and alpha stays."""
    luma = image.convert("L")
    bands = [luma.point(ToneCurve.of(band).tones) for band in zip(*colours, strict=True)]
    return _with_alpha_of(image, Image.merge("RGB", bands))


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour as `normalize_colour` writes it, without its alpha."""
    red, green, blue, *_ = ImageColor.getrgb(colour)
    return red, green, blue


def is_gray(colour: str) -> bool:
    """Return whether red, green and blue are equal: an image in L or LA can hold the colour."""
    return len(set(rgb(colour))) == 1


def convert_for_colour(image: Image.Image, colour: str) -> Image.Image:
    """Convert a gray image to RGB or RGBA unless the colour is gray."""
    if is_gray(colour) or image.mode in ("RGB", "RGBA"):
        return image
    return image.convert("RGBA" if has_alpha(image) else "RGB")


def _first_tone(histogram: Sequence[int], cutoff: float) -> int:
    """The first tone that is not ignored by a cutoff in percent of all pixels."""
    ignored = sum(histogram) * cutoff / 100
    for tone, count in enumerate(histogram):
        ignored -= count
        if ignored < 0:
            return tone
    return 255


def _with_alpha_of(image: Image.Image, result: Image.Image) -> Image.Image:
    if has_alpha(image):
        result.putalpha(image.getchannel("A"))
    return result

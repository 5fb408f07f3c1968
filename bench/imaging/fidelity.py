"""Checks a result, and compares its pixels with Pillow's Lanczos over the whole source."""

import io
import math
from functools import cache

from PIL import Image, ImageChops, ImageStat

from bench.imaging.cases import Case


class WrongResult(Exception):
    """The result has another size or format than the case requests."""


def check(data: bytes, case: Case) -> None:
    """Raise WrongResult unless the encoded image has the size and format of the case."""
    with Image.open(io.BytesIO(data)) as image:
        if image.size != case.result or (image.format or "").lower() != case.format:
            raise WrongResult(f"{image.format} {image.size[0]} x {image.size[1]}")


def psnr(data: bytes, case: Case) -> float | None:
    """Return the peak signal-to-noise ratio in dB; None for a case without a resize."""
    if case.size is None:
        return None
    with Image.open(io.BytesIO(data)) as image:
        squares = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), _exact(case))).sum2
    mean = sum(squares) / (3 * case.size[0] * case.size[1])
    return 10 * math.log10(255**2 / mean) if mean else math.inf


@cache
def _exact(case: Case) -> Image.Image:
    assert case.size is not None
    with Image.open(io.BytesIO(case.photo.read())) as image:
        return image.convert("RGB").resize(case.size, Image.Resampling.LANCZOS)

"""How near an answer comes to the best one: every pixel of the source through Pillow's Lanczos."""

import io
import math
from functools import cache

from PIL import Image, ImageChops, ImageStat

from bench.imaging.cases import Case


class WrongPicture(Exception):
    """Another size or format than was asked for."""


def check(data: bytes, case: Case) -> None:
    """Raises WrongPicture."""
    with Image.open(io.BytesIO(data)) as image:
        if image.size != case.result or (image.format or "").lower() != case.format:
            raise WrongPicture(f"{image.format} {image.size[0]} x {image.size[1]}")


def psnr(data: bytes, case: Case) -> float | None:
    """In dB; None where nothing is resized."""
    if case.size is None:
        return None
    with Image.open(io.BytesIO(data)) as image:
        apart = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), _best(case))).sum2
    mean = sum(apart) / (3 * case.size[0] * case.size[1])
    return 10 * math.log10(255**2 / mean) if mean else math.inf


@cache
def _best(case: Case) -> Image.Image:
    assert case.size is not None
    with Image.open(io.BytesIO(case.photo.read())) as image:
        return image.convert("RGB").resize(case.size, Image.Resampling.LANCZOS)

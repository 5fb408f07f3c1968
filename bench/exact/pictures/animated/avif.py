"""Animated AVIF, by libavif: colours and gray, with alpha, in both ranges."""

import random
from collections.abc import Iterator
from itertools import product

from PIL import Image

from bench.exact.pictures.scene import Picture
from tests.imaging.pictures import encoded

_SIZES = ((24, 18), (33, 17))
_DURATIONS = [100, 40, 1000, 10]


def animations() -> Iterator[Picture]:
    """Yield the files."""
    dice = random.Random(4)
    for range_, mode, chroma, size in product(
        ("limited", "full"), ("RGB", "RGBA", "L"), ("4:4:4", "4:2:0"), _SIZES
    ):
        first, *others = (_image(dice, size, mode) for _ in _DURATIONS)
        data = encoded(
            first, "AVIF", save_all=True, append_images=others, duration=_DURATIONS,
            quality=90, subsampling=chroma, range=range_,
        )  # fmt: skip
        yield f"avif animation, {range_} range, {mode} {chroma} {size[0]} x {size[1]}", data


def _image(dice: random.Random, size: tuple[int, int], mode: str) -> Image.Image:
    few = Image.frombytes("RGB", (4, 3), dice.randbytes(36))
    image = few.resize(size, Image.Resampling.BICUBIC).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image

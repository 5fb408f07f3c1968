"""Animated WebP (RFC 9649): every mode, frames that leave something uncovered, the alpha flag."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from PIL import Image

from bench.exact.pictures.animated.dice import PART, SIZE, WHOLE, random_alpha, random_box
from bench.exact.pictures.scene import Picture
from tests.imaging.forged_animations import Box, WebpFrame, webp

_FRAMES = 7
_Modes = Iterable[tuple[bool, bool]]
"""Two flags of each frame: it is cleared afterwards; it replaces the pixels below it."""


def animations() -> Iterator[Picture]:
    """Yield the files."""
    dice = random.Random(3)
    for make in (_modes, _controls):
        for name, data in make(dice):
            yield f"webp animation, {name}, lossless", data
    for mode in ("RGB", "RGBA"):
        frames = _frames(dice, _random_modes(dice), mode, lossless=False)
        yield f"webp animation, {mode}", webp(SIZE, frames)


def _modes(dice: random.Random) -> Iterator[Picture]:
    for number in range(10):
        yield f"modes {number}", webp(SIZE, _frames(dice, _random_modes(dice)))
        frames = _frames(dice, _random_modes(dice), first=PART)
        yield f"modes {number}, first a part", webp(SIZE, frames)
    for clears, replaces in product((False, True), repeat=2):
        for mode, first, flag in product(("RGB", "RGBA"), (WHOLE, PART), (False, True)):
            frames = _frames(dice, [(clears, replaces)] * 4, mode, first=first)
            name = f"{mode}{', clears' * clears}{', replaces' * replaces}"
            name += f"{', first a part' * (first is PART)}{', alpha flag' * flag}"
            yield name, webp(SIZE, frames, has_alpha=flag)
    covering = [WebpFrame(_image(dice, SIZE, "RGB"), clears=True) for _ in range(4)]
    yield "RGB, cleared and covered", webp(SIZE, covering, has_alpha=False)
    mixed = _frames(dice, _random_modes(dice, 3), "RGB")
    mixed += _frames(dice, _random_modes(dice, 3), first=PART)
    for flag in (False, True):
        yield f"RGB, then RGBA{', alpha flag' * flag}", webp(SIZE, mixed, has_alpha=flag)


def _controls(dice: random.Random) -> Iterator[Picture]:
    frames = _frames(dice, [(False, False)] * 4, first=PART)
    for mode, background in product(("RGB", "RGBA"), (0xFFFF0000, 0x80FF0000, 0x00FF0000)):
        clearing = _frames(dice, [(True, False)] * 4, mode, first=PART)
        data = webp(SIZE, clearing, background=background, has_alpha=mode == "RGBA")
        yield f"{mode}, background {background:08x}", data
    for plays in (1, 2, 65_535):
        yield f"plays {plays}", webp(SIZE, frames, plays=plays)
    for duration in (0, 1, 10, 0xFFFFFF):
        lasting = [replace(frame, duration=duration) for frame in frames]
        yield f"duration {duration}", webp(SIZE, lasting)
    yield "one frame", webp(SIZE, frames[:1])
    outside = WebpFrame(_image(dice, (8, 8), "RGBA"), (20, 0))
    yield "frame outside", webp(SIZE, [*frames, outside])
    yield "cut off", webp(SIZE, frames)[:-30]


def _random_modes(dice: random.Random, count: int = _FRAMES) -> _Modes:
    return [(dice.random() < 0.5, dice.random() < 0.5) for _ in range(count)]


def _frames(
    dice: random.Random,
    modes: _Modes,
    mode: str = "RGBA",
    *,
    first: Box = WHOLE,
    lossless: bool = True,
) -> list[WebpFrame]:
    frames = list[WebpFrame]()
    for clears, replaces in modes:
        left, upper, width, height = random_box(dice) if frames else first
        # A corner is stored in units of two pixels.
        corner = left & ~1, upper & ~1
        image = _image(dice, (width, height), mode)
        frames.append(WebpFrame(image, corner, clears, replaces, lossless=lossless))
    return frames


def _image(dice: random.Random, size: tuple[int, int], mode: str) -> Image.Image:
    few, has_alpha = dice.randbytes(4), mode == "RGBA"

    def pixel() -> list[int]:
        alpha = [random_alpha(dice, 255)] if has_alpha else []
        return [dice.choice(few) for _ in range(3)] + alpha

    samples = (sample for _ in range(size[0] * size[1]) for sample in pixel())
    return Image.frombytes(mode, size, bytes(samples))

"""Painting with Pillow for the page's picture: gradients, noise, light, hills and film grain."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

W, H = 2700, 1800  # pixels of every image

Colour = tuple[int, int, int]
Point = tuple[float, float]
Stops = Sequence[tuple[float, Colour]]


def gradient(stops: Stops, size: tuple[int, int] = (W, H)) -> Image.Image:
    """Return a vertical gradient; stops are heights, from 0 at the top to 1, and colours."""
    column = Image.new("RGB", (1, 256))
    for y in range(256):
        at = y / 255
        above = max((stop for stop in stops if stop[0] <= at), default=stops[0])
        below = min((stop for stop in stops if stop[0] >= at), default=stops[-1])
        share = (at - above[0]) / ((below[0] - above[0]) or 1)
        mixed = [round(a + (b - a) * share) for a, b in zip(above[1], below[1], strict=True)]
        column.putpixel((0, y), (mixed[0], mixed[1], mixed[2]))
    return column.resize(size, Image.Resampling.BICUBIC)


def noise(seed: int, cells: tuple[int, int], octaves: int = 6) -> Image.Image:
    """Return fractal noise in gray: octaves of noise, each finer and fainter than the last.

    `cells` is the number of cells across and down in the first octave.
    """
    random, total = Random(seed), Image.new("L", (W, H), 128)
    for octave in range(octaves):
        across, down = cells[0] << octave, cells[1] << octave
        layer = Image.frombytes("L", (across, down), random.randbytes(across * down))
        layer = layer.resize((W, H), Image.Resampling.BICUBIC)
        total = Image.blend(total, layer, 0.5 if octave == 0 else 0.36 / 1.25**octave)
    return ImageOps.autocontrast(total, 1)


def above(gray: Image.Image, low: int, high: int) -> Image.Image:
    """Return a mask: 0 up to the value `low`, 255 from `high` on, a smooth curve between."""
    return gray.point(
        [round(255 * min(1, max(0, (v - low) / (high - low))) ** 1.4) for v in range(256)]
    )


def glow(image: Image.Image, at: Point, radius: float, colour: Colour, strength: float) -> None:
    """Add a round light at a point, in place; radius in pixels, strength from 0 to 1."""
    size = round(2 * radius)
    # Pillow's radial gradient is 180 in the middle of an edge and 255 in a corner.
    fade = [round(255 * strength * max(0, 1 - v / 180) ** 1.5) for v in range(256)]
    mask = Image.radial_gradient("L").point(fade).resize((size, size), Image.Resampling.BICUBIC)
    light = Image.new("RGB", (W, H))
    light.paste(colour, (round(at[0] - radius), round(at[1] - radius)), mask)
    image.paste(ImageChops.screen(image, light))


def ridge(random: Random, level: float, rough: float, peaks: int = 9) -> list[Point]:
    """Return the polygon of a skyline, by midpoint displacement, down to the lower edge.

    `level` is its mean height and `rough` the largest displacement, in pixels.
    """
    line = [level + random.uniform(-rough, rough) for _ in range(peaks)]
    while len(line) < W // 6:
        rough *= 0.52
        middles = [(a + b) / 2 + random.uniform(-rough, rough) for a, b in pairwise(line)]
        line = [y for pair in zip(line, middles, strict=False) for y in pair] + line[-1:]
    step = W / (len(line) - 1)
    return [(0, H), *((x * step, y) for x, y in enumerate(line)), (W, H)]


def shape(points: Sequence[Point], blur: float = 1) -> Image.Image:
    """Return the mask of a polygon, blurred by a radius in pixels."""
    mask = Image.new("L", (W, H))
    ImageDraw.Draw(mask).polygon(list(points), 255)
    return mask.filter(ImageFilter.GaussianBlur(blur))


def hills(image: Image.Image, random: Random, level: float, rough: float, stops: Stops) -> None:
    """Paint a random skyline filled with a gradient, in place."""
    image.paste(gradient(stops), mask=shape(ridge(random, level, rough)))


def developed(image: Image.Image, seed: int) -> Image.Image:
    """Return the image with the effects of a lens and a film: vignette, bloom and grain."""
    bright = image.point([max(0, v - 150) for v in range(256)] * 3)
    image = ImageChops.screen(image, bright.filter(ImageFilter.GaussianBlur(28)))
    corners = Image.radial_gradient("L").point([255 - round(v**2 / 255 * 0.42) for v in range(256)])
    corners = corners.resize((W, H), Image.Resampling.BICUBIC)
    image = ImageChops.multiply(image, Image.merge("RGB", [corners] * 3))
    grain = Image.frombytes("L", (W, H), Random(seed).randbytes(W * H))
    grain = grain.filter(ImageFilter.GaussianBlur(1.2)).point(
        [128 + (v - 128) // 5 for v in range(256)]
    )
    return ImageChops.overlay(image, Image.merge("RGB", [grain] * 3))

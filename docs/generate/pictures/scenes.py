"""Four synthetic photographs for the page's picture: a house, a lake, a forest and balloons."""

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from docs.generate.pictures.painting import (
    Colour,
    H,
    Point,
    W,
    above,
    glow,
    gradient,
    hills,
    noise,
    ridge,
    shape,
)


def house() -> Image.Image:
    """Paint a house on a hill after sunset, with lit windows."""
    random = Random(4)
    image = gradient(
        [(0, (28, 42, 92)), (0.25, (88, 74, 136)), (0.45, (206, 108, 118)), (0.6, (252, 168, 96)),
         (0.7, (255, 214, 142)), (1, (255, 226, 170))]
    )  # fmt: skip
    glow(image, (700, 1180), 1300, (255, 190, 110), 0.8)
    clouds = noise(11, (3, 9))
    image.paste((255, 150, 120), mask=above(clouds, 132, 255))
    image.paste((74, 52, 96), mask=above(clouds.transpose(Image.Transpose.ROTATE_180), 150, 300))
    hills(image, random, 1130, 70, [(0, (176, 110, 122)), (0.7, (214, 140, 124)), (1, (0, 0, 0))])
    hills(image, random, 1240, 60, [(0, (112, 70, 98)), (0.75, (150, 92, 104)), (1, (0, 0, 0))])
    hills(image, random, 1370, 30, [(0, (58, 50, 58)), (0.76, (88, 74, 62)), (1, (20, 22, 22))])

    draw = ImageDraw.Draw(image)
    leaves(draw, random, (860, 1420), 430, (44, 46, 40))
    leaves(draw, random, (2360, 1450), 560, (40, 42, 38))
    front = [(1180, 1010), (1180, 1440), (1640, 1470), (1640, 990), (1410, 760)]
    side = [(1640, 990), (1640, 1470), (2180, 1425), (2180, 1010)]
    draw.polygon(side, (92, 70, 84))
    draw.polygon(front, (150, 112, 108))
    for row in range(24):
        y = 1010 + row * 19
        draw.line([(1180, y), (1640, y - 8 + row * 1.6)], (128, 94, 96), 3)
        draw.line([(1640, y - 8 + row * 1.6), (2180, y + 12)], (78, 60, 76), 3)
    draw.polygon([(1410, 735), (1620, 985), (2230, 1015), (2010, 770)], (62, 42, 56))
    draw.polygon([(1395, 725), (1135, 1020), (1180, 1030), (1410, 775)], (74, 50, 60))
    draw.polygon([(1395, 725), (1425, 728), (1690, 1005), (1640, 1010), (1410, 775)], (52, 36, 50))
    for row in range(1, 9):
        at = row / 9
        line = [(1420 + 210 * at, 740 + 250 * at), (2010 + 220 * at, 772 + 243 * at)]
        draw.line(line, (76, 54, 66), 4)
    draw.polygon([(1850, 640), (1940, 646), (1940, 830), (1850, 830)], (84, 56, 58))
    draw.rectangle((1840, 630, 1950, 660), (70, 48, 54))
    windows = [
        *((1260, 1110, 1365, 1250), (1455, 1106, 1560, 1250), (1365, 885, 1452, 985)),
        *((1740, 1110, 1850, 1240), (1985, 1108, 2090, 1232)),
    ]
    for left, upper, right, lower in windows:
        draw.rectangle((left - 12, upper - 12, right + 12, lower + 12), (70, 50, 54))
        pane = gradient([(0, (255, 236, 176)), (1, (255, 176, 84))], (right - left, lower - upper))
        image.paste(pane, (left, upper))
        middle = (left + right) // 2
        draw.line([(middle, upper), (middle, lower)], (82, 56, 50), 7)
        draw.line([(left, (upper + lower) // 2), (right, (upper + lower) // 2)], (82, 56, 50), 7)
        glow(image, (middle, (upper + lower) / 2), 210, (255, 180, 90), 0.4)
    draw.polygon([(1375, 1300), (1462, 1302), (1462, 1460), (1375, 1456)], (66, 34, 34))
    glow(image, (1418, 1285), 160, (255, 196, 120), 0.9)

    draw.polygon(ridge(random, 1452, 10, 12), (34, 34, 30))
    image.paste(
        gradient([(0, (64, 56, 40)), (0.8, (70, 62, 44)), (1, (14, 18, 18))]),
        mask=shape(ridge(random, 1462, 12, 12), 2),
    )
    for y in range(1465, H, 5):
        size = (y - 1440) / 6
        for _ in range(150):
            x, lean = random.uniform(0, W), random.gauss(0, 0.5)
            shade = random.uniform(0.25, 1) * (1.3 - (y - 1460) / 420)
            fill = (round(104 * shade), round(92 * shade), round(56 * shade))
            draw.line([(x, y), (x + lean * size, y - size)], fill, 3)
    path = shape([(1400, 1462), (1470, 1464), (1760, H), (1230, H)], 14)
    image.paste((146, 118, 92), mask=path.point([v * 5 // 10 for v in range(256)]))
    return image


def leaves(draw: ImageDraw.ImageDraw, random: Random, at: Point, size: float, dark: Colour) -> None:
    """Draw a broad tree as a few thousand leaves around its branches, at the foot of its trunk."""
    x, y = at
    draw.polygon(
        [(x - size * 0.05, y), (x + size * 0.05, y), (x + size * 0.02, y - size)], (24, 18, 22)
    )
    branches = [
        (x + random.gauss(0, size * 0.26), y - size * random.uniform(0.5, 1.25)) for _ in range(26)
    ]
    for branch in branches:
        for _ in range(420):
            angle, far = random.uniform(0, math.tau), abs(random.gauss(0, size * 0.1))
            cx, cy = branch[0] + math.cos(angle) * far, branch[1] + math.sin(angle) * far
            r = random.uniform(1.5, 4.5) * size / 420
            shade = random.uniform(0.6, 1.7) * (1.25 if cy < branch[1] else 0.8)
            fill = tuple(min(255, round(part * shade)) for part in dark)
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill)


def lake() -> Image.Image:
    """Paint mountains at daybreak, and their reflection in a lake."""
    random = Random(7)
    half = gradient(
        [(0, (66, 118, 172)), (0.3, (134, 176, 208)), (0.5, (240, 214, 196)), (1, (255, 224, 190))]
    )
    half.paste((255, 240, 232), mask=above(noise(23, (3, 8)), 140, 262))
    hills(half, random, 700, 150, [(0.2, (178, 190, 216)), (0.6, (220, 206, 210)), (1, (0, 0, 0))])
    snow = ridge(Random(31), 560, 330, 6)
    half.paste(
        gradient([(0.1, (72, 92, 132)), (0.6, (172, 166, 184)), (1, (0, 0, 0))]), mask=shape(snow)
    )
    white = ImageChops.multiply(
        shape([(x - 14, y) for x, y in snow]), above(noise(5, (14, 10)), 96, 170)
    )
    fall = (
        Image.linear_gradient("L").resize((W, H)).point([max(0, 235 - v * 3) for v in range(256)])
    )
    half.paste((250, 238, 232), mask=ImageChops.multiply(white, fall))
    for level, near in ((930, (96, 118, 132)), (990, (54, 82, 88)), (1052, (22, 42, 44))):
        line = ridge(random, level, 26, 7)
        points: list[Point] = []
        for x, y in line:
            tip = random.uniform(20, 74) * (level / 950) ** 6
            points += [(x, y), (x + 5, y - tip), (x + 10, y)] if 0 < x < W - 10 else [(x, y)]
        half.paste(near, mask=shape(points, 1.5))
    shore = 1080
    image = half.copy()
    mirror = ImageOps.flip(half.crop((0, 2 * shore - H, W, shore)))
    water = Image.new("RGB", mirror.size)
    for y in range(mirror.height):
        wave = math.sin(y / (4 + y / 40)) * (1 + y / 70) + random.gauss(0, 0.6)
        water.paste(ImageChops.offset(mirror.crop((0, y, W, y + 1)), round(wave), 0), (0, y))
    tint = gradient([(0, (236, 238, 240)), (1, (92, 132, 158))], water.size)
    image.paste(ImageChops.multiply(water.filter(ImageFilter.GaussianBlur(1.5)), tint), (0, shore))
    glow(image, (1960, 900), 1200, (255, 200, 150), 0.75)
    mist = above(noise(41, (3, 5), 5), 60, 240)
    band = Image.new("L", (W, H))
    ImageDraw.Draw(band).rectangle((0, shore - 30, W, shore + 6), 235)
    image.paste(
        (250, 234, 222), mask=ImageChops.multiply(mist, band.filter(ImageFilter.GaussianBlur(16)))
    )
    return image


def pines() -> Image.Image:
    """Paint a forest in fog, seven rows deep."""
    random = Random(19)
    image = gradient([(0, (228, 226, 206)), (0.5, (206, 216, 200)), (1, (150, 172, 158))])
    glow(image, (1750, 300), 1500, (255, 236, 190), 0.85)
    for row in range(7):
        near = row / 6
        colour = tuple(
            round(far + (close - far) * near**0.8)
            for far, close in zip((188, 204, 186), (16, 36, 30), strict=True)
        )
        mask = Image.new("L", (W, H))
        draw = ImageDraw.Draw(mask)
        foot = 900 + 170 * row
        x = random.uniform(-200, 0)
        while x < W + 100:
            tall = random.uniform(0.75, 1.35) * (300 + 130 * row)
            base = foot + random.uniform(-40, 60)
            if row < 6 or not 700 < x < 2150:
                pine(draw, random, x, base, tall)
            x += random.uniform(0.13, 0.3) * (340 + 120 * row)
        draw.rectangle((0, foot - 20, W, 2 * H), 255)
        image.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(1.2 + 0.5 * abs(row - 4))))
        fog = ImageChops.multiply(
            above(noise(60 + row, (3, 8), 5), 70, 250),
            Image.linear_gradient("L").resize((W, H)),
        )
        thin = [round(v * (0.85 - 0.8 * near)) for v in range(256)]
        image.paste((232, 234, 218), mask=fog.point(thin))
    return image


def pine(draw: ImageDraw.ImageDraw, random: Random, x: float, base: float, tall: float) -> None:
    """Draw a conifer into a mask; `base` and `tall` are its foot and height in pixels."""
    draw.line([(x, base), (x, base - tall)], 255, max(3, round(tall / 60)))
    branches = round(tall / 13)
    for branch in range(branches):
        at = branch / branches
        y = base - tall * (1 - at * 0.9)
        for way in (-1, 1):
            reach = tall * 0.2 * at**0.85 * random.uniform(0.6, 1.15)
            drop = reach * random.uniform(0.25, 0.55)
            points = [(x, y - tall * 0.03), (x + way * reach, y + drop), (x, y + tall * 0.035)]
            draw.polygon(points, 255)


def balloons() -> Image.Image:
    """Paint hot-air balloons over dunes in the afternoon."""
    random = Random(3)
    image = gradient(
        [(0, (38, 108, 186)), (0.5, (136, 190, 224)), (0.72, (238, 228, 208)), (1, (255, 240, 214))]
    )
    image.paste((255, 255, 255), mask=above(noise(77, (3, 6)), 140, 280))
    for level, rough, light, dark in (
        (1270, 40, (226, 178, 138), (206, 150, 112)),
        (1390, 60, (224, 160, 106), (180, 108, 68)),
        (1540, 70, (214, 138, 78), (134, 70, 40)),
    ):
        hills(image, random, level, rough, [(0, light), (level / H - 0.05, light), (1, dark)])
    ripples = above(noise(15, (4, 60), 4), 110, 240).point([v // 4 for v in range(256)])
    ground = shape(ridge(Random(8), 1500, 20), 60)
    image.paste((92, 44, 26), mask=ImageChops.multiply(ripples, ground))
    crowd = [
        (2330, 330, 90, ((226, 84, 60), (250, 236, 214))),
        (1560, 250, 130, ((238, 180, 52), (46, 88, 140))),
        (330, 830, 110, ((120, 64, 130), (244, 200, 90))),
        (2120, 850, 210, ((34, 122, 122), (246, 232, 206))),
        (900, 640, 400, ((208, 46, 46), (250, 196, 66))),
    ]
    for x, y, r, colours in crowd:
        balloon(image, x, y, r, colours)
    return image


def balloon(image: Image.Image, x: float, y: float, r: float, colours: Sequence[Colour]) -> None:
    """Paint a balloon in two colours, in place; `x`, `y` and `r` are its centre and radius."""

    def across(height: float) -> float:
        """Return half the width, in radii, at a height from -1, the top, to 1.35, the mouth."""
        if height < 0.2:
            return math.sqrt(max(0, 1 - height**2))
        return 0.98 * (1 - math.pow((height - 0.2) / 1.15, 1.55) * 0.84)

    heights = [-1 + 2.35 * step / 90 for step in range(91)]
    left = -math.pi / 2
    bag = Image.new("RGB", (W, H))
    draw = ImageDraw.Draw(bag)
    gores = 16
    for gore in range(gores):
        edges = [math.sin(left + math.pi * (gore + end) / gores) for end in (0, 1)]
        points = [(x + r * across(h) * edges[0], y + r * h) for h in heights]
        points += [(x + r * across(h) * edges[1], y + r * h) for h in reversed(heights)]
        draw.polygon(points, colours[gore % 2])
    band = [(x - r * 1.1, y - r * 0.12), (x + r * 1.1, y - r * 0.12)]
    draw.line(band, colours[1], round(r * 0.16))
    outline = [(x - r * across(h), y + r * h) for h in heights]
    outline += [(x + r * across(h), y + r * h) for h in reversed(heights)]
    shade = Image.new("L", (W, H), 90)
    size = round(r * 3.4)
    light = Image.radial_gradient("L").point([255 - round(v * 0.72) for v in range(256)])
    corner = (round(x - size * 0.62), round(y - size * 0.6))
    shade.paste(light.resize((size, size), Image.Resampling.BICUBIC), corner)
    lit = ImageChops.multiply(bag, Image.merge("RGB", [shade] * 3))
    image.paste(
        ImageChops.add(lit, bag.point([v // 6 for v in range(256)] * 3)), mask=shape(outline)
    )
    draw = ImageDraw.Draw(image)
    mouth, basket = y + r * 1.34, y + r * 1.72
    for side in (-1, 1):
        rope = [(x + side * r * 0.15, mouth), (x + side * r * 0.1, basket)]
        draw.line(rope, (60, 44, 36), max(1, round(r / 70)))
    draw.rectangle((x - r * 0.12, basket, x + r * 0.12, basket + r * 0.17), (96, 62, 38))

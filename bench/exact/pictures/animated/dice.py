"""Random parts of animations, the same ones in each run."""

import random

from tests.imaging.forged_animations import Box

SIZE = (24, 18)
WHOLE: Box = (0, 0, *SIZE)
PART: Box = (4, 2, 11, 9)


def random_box(dice: random.Random) -> Box:
    """Return a rectangle within the canvas."""
    left, upper = dice.randrange(SIZE[0] - 2), dice.randrange(SIZE[1] - 2)
    return left, upper, dice.randint(1, SIZE[0] - left), dice.randint(1, SIZE[1] - upper)


def random_alpha(dice: random.Random, most: int) -> int:
    """Return an alpha from 0 to `most`: often transparent, opaque or half of both."""
    return dice.choice((0, most, most // 2, dice.randint(0, most)))

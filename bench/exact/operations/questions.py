"""Pictures, the operations that are applied to them, and how exact a result has to be."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageFilter

from contracts.operations.notation import parse_operation
from contracts.operations.pipeline import Operation
from tests.imaging.pictures import WORK_MODES, decoded, encoded, scenery

OVERLAY = "0" * 64
"""The key of the image that a watermark lays over the picture."""

_SIZE = (163, 122)
JPEG = "JPEG"
"""The mode of a picture that may be decoded at a part of its size."""

HIDDEN = ("#00ff00", "#ff00ff")
"""Colours of transparent pixels: no result may show them."""


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted difference of a result from the exact one."""

    most: float  # levels of 255, at any pixel
    decibels: float  # of the peak to the noise of all pixels


EXACT = Tolerance(0.01, 99)
ROUNDED = Tolerance(1.01, 50)  # to whole levels: 59 dB if every fraction is equally likely
TWICE = Tolerance(2.01, 50)  # rounded a second time: a luma, or a colour that alpha divides
RESAMPLED = Tolerance(36, 44)  # beyond black and white, each of two passes cuts off
BLURRED = Tolerance(15, 44)  # three means of neighbours in place of a Gaussian
DRAFTED = Tolerance(20, 44)  # a JPEG is decoded at a half, a quarter or an eighth first
EDGES = Tolerance(80, 40)  # no definition says how an edge is interpolated, or a threshold met


@dataclass(frozen=True)
class Question:
    """An operation on a picture in one mode."""

    operation: str  # as in a query
    mode: str
    tolerance: Tolerance

    @property
    def name(self) -> str:
        return f"{self.operation.replace(OVERLAY, 'RGBA')} on {self.mode}"

    def parsed(self) -> Operation:
        """Return the operation."""
        return parse_operation(self.operation)


@cache
def source(mode: str, hidden: str) -> bytes:
    """Return the picture as a file: a PNG in a mode of Pillow's, or a larger JPEG."""
    if mode == JPEG:
        soft = scenery(*(4 * side for side in _SIZE)).filter(ImageFilter.GaussianBlur(1.5))
        return encoded(soft, "JPEG", quality=95)
    return encoded(_drawn(mode, hidden), "PNG", compress_level=1)


@cache
def picture(mode: str, hidden: str) -> Image.Image:
    """Return the picture's pixels, as Pillow decodes all of them."""
    return decoded(source(mode, hidden))


def _drawn(mode: str, hidden: str) -> Image.Image:
    """Draw edges, gradients and texture; with alpha, also holes whose hidden pixels have a colour.

    The holes have hard and soft edges, and reach the picture's.
    """
    image = scenery(*_SIZE).convert(mode)
    if not mode.endswith("A"):
        return image
    holes = (
        Image.radial_gradient("L").resize(_SIZE).point([255 * (t % 64 < 16) for t in range(256)])
    )
    alpha = Image.linear_gradient("L").rotate(90).resize(_SIZE)
    alpha.paste(0, mask=holes)
    alpha.paste(255, (60, 40, 120, 90))
    clear = alpha.point([255] + [0] * 255)
    image.paste(Image.new("RGB", (1, 1), hidden).convert(mode).resize(_SIZE), mask=clear)
    image.putalpha(alpha)
    return image


@cache
def overlay() -> bytes:
    """Return the image that a watermark lays over the picture."""
    return encoded(picture("RGBA", HIDDEN[0]).resize((60, 45)), "PNG")


# Odd sizes: at an even one, a box may end in the middle of a pixel, which then counts or not.
_RESIZES = (
    *("width=51", "width=81", "width=121", "width=161", "height=7", "width=311,enlarge=true"),
    *(f"width={width},height=43,fit=fill" for width in (61, 163)),
)
_FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_BOXES = (
    *("width=60,height=60", "width=400,height=90", "width=400,height=90,enlarge=true"),
    *("width=400,height=90,enlarge=crop", "width=90,height=300,enlarge=crop"),
    *("width=30,height=20,dpr=2.5", "width=60,height=61,dpr=1.5"),
)
_FITS = ("cover", "contain", "fill", "inside", "outside")
_GRAVITIES = (
    *("top_left", "top", "top_right", "left", "center", "right"),
    *("bottom_left", "bottom", "bottom_right"),
)
_AIMS = (
    *(f"gravity={gravity}" for gravity in _GRAVITIES),
    *("focus_x=0.2", "focus_y=0.9", "focus_x=0.61,focus_y=0.37"),
)
_ANGLES = (1, 2.5, 5, 7, 10, 15, 20, 30, 33, 40, 45, 50, 60, 70, 75, 80, 89, -100, 200, 271.5)
_LAY = f"watermark:image={OVERLAY}"

_OPERATIONS: dict[Tolerance, Sequence[str]] = {
    EXACT: (
        *("crop:left=10,top=20,width=30,height=40", "crop:width=500,height=41"),
        *(f"crop:width=50,height=41,{aim}" for aim in _AIMS),
        *("extract:left=0,top=1,width=163,height=121", "trim:40", "trim:tolerance=90,colour=black"),
        *("flip", "flip:vertical", "flop", "negate"),
        *("rotate:90", "rotate:180", "rotate:-90", "rotate:360"),
        *("pad:width=200,height=90", "pad:width=200,height=151,background=336699"),
        *("pad:top=1,left=2,bottom=3,right=4", "pad:top=9,background=33669980"),
        *("border:3", "border:width=1,colour=teal", "border:width=7,colour=00808040"),
        *(f"text:text=Hill,size=30,position={position},x=6,y=4" for position in _GRAVITIES),
    ),
    ROUNDED: (
        *("grayscale", "sepia", "sepia:0.3", "posterize:2", "posterize:7", "posterize:256"),
        *("adjust:brightness=1.4", "adjust:brightness=0.3", "adjust:contrast=1.7"),
        *("adjust:contrast=0.2", "adjust:gamma=0.4", "adjust:gamma=2.2"),
        *("adjust:saturation=0", "adjust:saturation=2.5", "adjust:hue=90", "adjust:hue=-30"),
        *("autocontrast", "autocontrast:5", "equalize", "background", "background:teal"),
        *(f"{_LAY},position={position},x=3,y=5" for position in _GRAVITIES),
        *(f"{_LAY},x=-9", f"{_LAY},position=center,opacity=0.5", f"{_LAY},opacity=0"),
    ),
    TWICE: (
        *("duotone:shadows=1a1446,highlights=ffd8a0", "duotone:shadows=white,highlights=black"),
        *("tint:teal", "tint:colour=7a5230,amount=0.4", "tint:black", "tint:white"),
        *("adjust:brightness=1.4,contrast=1.2,hue=-30", "pixelate:10", "pixelate:3"),
        *("pixelate:1000", "vignette", "vignette:amount=1,softness=1"),
        *("vignette:softness=0.3,colour=teal", f"{_LAY},position=tile,x=7,opacity=0.7"),
        *(f"round:{radius}" for radius in (0, 0.4, 1, 7.3, 24, "10%", "circle")),
    ),
    RESAMPLED: (
        *(f"resize:{size},filter={one}" for size in _RESIZES for one in _FILTERS),
        *(f"resize:{box},fit={fit}" for box in _BOXES for fit in _FITS),
        *(f"resize:width=163,height=60,{aim}" for aim in _AIMS),
        *(f"resize:width=60,height=60,fit={fit},{aim}" for fit in _FITS[:2] for aim in _AIMS),
        *(f"{_LAY},scale={scale}" for scale in (0.15, 0.8)),
    ),
    BLURRED: (
        *(f"blur:{radius}" for radius in (0.3, 0.5, 1, 2, 4, 10, 40, 100)),
        *("sharpen", "sharpen:amount=3,radius=0.6", "sharpen:amount=1,radius=8"),
    ),
    EDGES: (
        *(f"rotate:{degrees}" for degrees in _ANGLES),
        *(f"rotate:degrees=20,background={colour}" for colour in ("teal", "00808080")),
        *("pad:width=300,height=130,blurred=true", "sharpen:amount=2,threshold=6"),
    ),
}


_DRAFTED = (
    *(f"resize:{width}" for width in (11, 30, 77, 93, 150, 186, 300, 371)),
    *("resize:width=60,height=60", "resize:width=60,height=61,fit=contain", "grayscale", "blur:3"),
)


def questions() -> Iterator[Question]:
    """Yield all questions."""
    for tolerance, operations in _OPERATIONS.items():
        for operation, mode in itertools.product(operations, WORK_MODES):
            yield Question(operation, mode, tolerance)
    for operation in _DRAFTED:
        yield Question(operation, JPEG, DRAFTED)

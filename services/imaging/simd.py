"""fast_image_resize's kernels on Pillow's own pixels: a seventh of the time, where it is installed.

No pixel is copied on the way in or out: the package reads and writes Pillow's memory where it lies.
"""

import math
from functools import cache
from typing import Any

from PIL import Image, ImageChops

from contracts.shapes import Filter
from services.imaging.geometry import Box, Size

_FILTERS = {
    Filter.BOX: "box",
    Filter.BILINEAR: "bilinear",
    Filter.BICUBIC: "catmull_rom",
    Filter.LANCZOS: "lanczos3",
}

# Bytes that the weights take at most, and what else is small.
_TABLES = 8 << 20

_ALIKE = 2  # of 255: what rounding may do


def is_installed() -> bool:
    """Whether this process has it; the first call loads it."""
    return _package() is not None


def suits(filter: Filter) -> bool:
    """Whether it is installed, and has the kernel."""
    return filter in _FILTERS and is_installed()


def resize(image: Image.Image, size: Size, box: Box, filter: Filter) -> Image.Image:
    """`box` of an L, LA, RGB or RGBA image, at `size`. Raises MemoryError."""
    if image.mode == "LA":
        return resize(image.convert("RGBA"), size, box, filter).convert("LA")
    # Where Rust finds no memory it ends the process. It wants some for what lies between its passes
    # (down, then across) and for colours times alpha. These bytes are never touched, and cost none.
    weighed = image.width * image.height if image.mode == "RGBA" else 0
    bytes(4 * (image.width * size[1] + weighed) + _TABLES)
    return _resize(_package(), image, size, box, filter)


def _resize(package: Any, image: Image.Image, size: Size, box: Box, filter: Filter) -> Image.Image:
    left, upper, right, lower = box
    result = Image.new(image.mode, size)
    options = package.ResizeOptions(
        package.ResizeAlg.convolution(package.FilterType[_FILTERS[filter]]),
        crop_box=package.CropBox(
            left, upper, _reach(left, right, image.width), _reach(upper, lower, image.height)
        ),
    )
    package.Resizer().resize_pil(image, result, options)
    return result


def _reach(low: float, high: float, most: int) -> float:
    """From `low` to `high`, and not past `most` when the two are added again."""
    length = high - low
    return length if low + length <= most else math.nextafter(length, 0)


@cache
def _package() -> Any:
    try:
        import cykooz_resizer
    except ImportError:
        return None
    return cykooz_resizer if _reads_this_pillow(cykooz_resizer) else None


def _reads_this_pillow(package: Any) -> bool:
    """Whether it finds the pixels where this Pillow has them: no contract says where that is."""
    image = Image.radial_gradient("L").convert("RGB")
    size, box = (99, 77), (1.5, 0.25, 251.0, 255.75)
    found = _resize(package, image, size, box, Filter.LANCZOS)
    plain = image.resize(size, Image.Resampling.LANCZOS, box)
    return max(ImageChops.difference(found, plain).tobytes()) <= _ALIKE

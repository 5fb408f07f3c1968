"""Resize with a filter: by fast_image_resize where it is installed, else by Pillow."""

from PIL.Image import Image, Resampling

from contracts.operations.choices import Filter
from contracts.operations.sizes import Box, Size
from services.imaging.engine.raster import simd

# From three times the size wanted, Pillow averages whole pixels first: 4 times faster, 55 dB alike.
_REDUCING_GAP = 3.0

# For fast_image_resize, averaging first pays from 20 times the size wanted, down to 4 times.
_REDUCE_FROM, _REDUCE_TO = 20, 4

_PILLOW_FILTERS = {
    Filter.NEAREST: Resampling.NEAREST,
    Filter.BOX: Resampling.BOX,
    Filter.BILINEAR: Resampling.BILINEAR,
    Filter.HAMMING: Resampling.HAMMING,
    Filter.BICUBIC: Resampling.BICUBIC,
    Filter.LANCZOS: Resampling.LANCZOS,
}


def resample(image: Image, size: Size, box: Box, filter: Filter = Filter.LANCZOS) -> Image:
    """Scale `box` of an L, LA, RGB or RGBA image to `size`.

    Colours are weighted by their alpha. A box of whole pixels of this size is cut out, and the
    whole image is returned itself. Processes with the same packages installed return the same
    pixels. Raises MemoryError.
    """
    left, upper, right, lower = box
    unscaled = int(left), int(upper), int(left) + size[0], int(upper) + size[1]
    if box == unscaled:
        return image if image.size == size else image.crop(unscaled)
    wider, higher = size[0] > right - left, size[1] > lower - upper
    # Shrink one axis before the other is enlarged: no image in between is larger than both ends.
    if wider and not higher:
        image = _resize(image, (image.width, size[1]), (0, upper, image.width, lower), filter)
        box = (left, 0, right, size[1])
    if higher and not wider:
        image = _resize(image, (size[0], image.height), (left, 0, right, image.height), filter)
        box = (0, upper, size[0], lower)
    return _resize(image, size, box, filter)


def _resize(image: Image, size: Size, box: Box, filter: Filter) -> Image:
    if simd.supports(filter):
        return simd.resize(*_reduced(image, size, box), filter)
    return image.resize(size, _PILLOW_FILTERS[filter], box, _REDUCING_GAP)


def _reduced(image: Image, size: Size, box: Box) -> tuple[Image, Size, Box]:
    """Average whole pixels of a far larger image; `box` is scaled with it."""
    across, down = _factor(box[2] - box[0], size[0]), _factor(box[3] - box[1], size[1])
    if across == down == 1:
        return image, size, box
    left, upper, right, lower = box
    scaled = (left / across, upper / down, right / across, lower / down)
    return image.reduce((across, down)), size, scaled


def _factor(length: float, size: int) -> int:
    """Return the number of pixels that are averaged into one along an axis."""
    return int(length / size / _REDUCE_TO) if length >= _REDUCE_FROM * size else 1

"""The resize kernels: Pillow's, and libvips' where it is faster. They go here, and nowhere else."""

from PIL.Image import Image, Resampling

from contracts.shapes import Filter
from services.imaging import vips
from services.imaging.geometry import Box, Size

# Past three times the size wanted, whole pixels are averaged first: 4 times faster, 55 dB alike.
_REDUCING_GAP = 3.0

# Where libvips was measured to win: in colour, where Pillow does not average, and where copying is
# not most of the work.
_VIPS_MODES = ("RGB", "RGBA")
_VIPS_STEPS = 2 * _REDUCING_GAP
_VIPS_PIXELS = 100_000

_KERNELS = {
    Filter.NEAREST: Resampling.NEAREST,
    Filter.BOX: Resampling.BOX,
    Filter.BILINEAR: Resampling.BILINEAR,
    Filter.HAMMING: Resampling.HAMMING,
    Filter.BICUBIC: Resampling.BICUBIC,
    Filter.LANCZOS: Resampling.LANCZOS,
}


def resample(image: Image, size: Size, box: Box, filter: Filter = Filter.LANCZOS) -> Image:
    """`box` of an L, LA, RGB or RGBA image, at `size`; colours weigh as much as they are opaque.

    The same in every process that has the same packages installed.
    """
    left, upper, right, lower = box
    whole = int(left), int(upper), int(left) + size[0], int(upper) + size[1]
    if box == whole:
        return image if image.size == size else image.crop(whole)
    if filter is Filter.LANCZOS and vips.is_installed() and _suits_vips(image, size, box):
        shrunk = vips.shrink(image, size, box)
        if shrunk is not None:
            return shrunk
    kernel = _KERNELS[filter]
    if size[0] > right - left and size[1] < lower - upper:
        # Pillow works across before it works down: growing first holds more than either end.
        first = image.resize(
            (image.width, size[1]), kernel, (0, upper, image.width, lower), _REDUCING_GAP
        )
        return first.resize(size, kernel, (left, 0, right, size[1]), _REDUCING_GAP)
    return image.resize(size, kernel, box, _REDUCING_GAP)


def _suits_vips(image: Image, size: Size, box: Box) -> bool:
    across, down = box[2] - box[0], box[3] - box[1]
    return (
        image.mode in _VIPS_MODES
        and across * down >= _VIPS_PIXELS
        and 1 <= across / size[0] < _VIPS_STEPS
        and 1 <= down / size[1] < _VIPS_STEPS
    )

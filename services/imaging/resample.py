"""The resize kernels: Pillow's, and libvips' where it is faster. They go here, and nowhere else."""

from PIL.Image import Image, Resampling

from contracts.shapes import Filter
from services.imaging import vips
from services.imaging.geometry import Box, Size

# Past three times the size wanted, whole pixels are averaged first: 4 times faster, 55 dB alike.
_REDUCING_GAP = 3.0

# Where libvips was measured to win: not where Pillow averages, nor where copying is most of it.
_VIPS_STEPS = 2 * _REDUCING_GAP
_VIPS_PIXELS = 200_000

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
    if box == (int(left), int(upper), int(left) + size[0], int(upper) + size[1]):
        return (
            image
            if image.size == size
            else image.crop((int(left), int(upper), int(right), int(lower)))
        )
    if filter is Filter.LANCZOS and _suits_vips(size, box):
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


def _suits_vips(size: Size, box: Box) -> bool:
    across, down = box[2] - box[0], box[3] - box[1]
    return across * down >= _VIPS_PIXELS and all(
        1 <= step < _VIPS_STEPS for step in (across / size[0], down / size[1])
    )

"""The one colour of a PNG that is transparent, where Pillow takes it for another.

PNG, third edition, 11.3.1.1: the tRNS chunk has samples of the image's own depth. Pillow compares
them with what it has made of the pixels, and keeps eight bits of sixteen.
"""

import io

from PIL import Image, ImageChops

from services.imaging.engine.raster.bit_depth import integer_gray_to_8_bits

_DEPTH, _KIND = 24, 25  # where in a PNG they lie


def keyed(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded PNG, `data` as a file, with the transparency that its one colour gives it.

    The image itself, where Pillow knows as much.
    """
    key = image.info.get("transparency")
    if key is None:
        return image
    match data[_KIND], data[_DEPTH]:  # 0 is gray, 2 is colour
        case 0, (2 | 4) as depth:
            alpha = _unless(image, key * (255 // ((1 << depth) - 1)))
            return Image.merge("LA", (image, alpha))
        case 0, 16:
            # Its two bytes, the lower one first.
            low, high = Image.frombytes("LA", image.size, image.tobytes()).split()
            alpha = ImageChops.lighter(_unless(low, key & 255), _unless(high, key >> 8))
            return Image.merge("LA", (integer_gray_to_8_bits(image), alpha))
        case 2, 16 if not getattr(image, "is_animated", False):
            alphas = [
                _unless(band, part)
                for half, shift in ((image, 8), (_lower_half(data), 0))
                for band, part in zip(half.split(), [v >> shift & 255 for v in key], strict=True)
            ]
            for other in alphas[1:]:
                alphas[0] = ImageChops.lighter(alphas[0], other)
            return Image.merge("RGBA", (*image.split(), alphas[0]))
    return image


def _unless(band: Image.Image, value: int) -> Image.Image:
    """Opaque wherever the band is not this."""
    return band.point([0 if other == value else 255 for other in range(256)])


def _lower_half(data: bytes) -> Image.Image:
    """The lower bytes of a PNG in sixteen bits: the higher ones, to who reads them backwards."""
    image = Image.open(io.BytesIO(data), formats=("PNG",))
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    image.load()
    return image

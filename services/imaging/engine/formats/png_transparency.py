"""Apply a PNG's transparent colour where Pillow compares it with other samples than the file's.

PNG, Third Edition (W3C, 2025), section 11.3.1.1: the tRNS chunk of a gray or colour image names one
colour, in samples of the image's own depth.

Seen in Pillow 13.0: gray of 2 or 4 bits is scaled to 8 bits, and compared with a tRNS that is not;
16-bit samples lose their lower 8 bits, and tRNS is compared with the rest, or left out. This module
can go once `convert("RGBA")` gives the alpha of all three kinds of files.
"""

import io

from PIL import Image, ImageChops

from services.imaging.engine.raster.bit_depth import integer_gray_to_8_bits
from services.imaging.engine.safety.decode_errors import translate_decode_errors

_DEPTH, _COLOUR_TYPE = 24, 25  # offsets in the file, within IHDR


def with_transparency(image: Image.Image, data: bytes) -> Image.Image:
    """Return a loaded PNG with its transparent colour applied, in LA or RGBA; `data` is the file.

    Returns `image` itself where Pillow's own conversion is right.
    """
    key = image.info.get("transparency")
    if key is None:
        return image
    # Type 0 is gray, 2 is colour. A crafted file may have a second header, and so another mode.
    match image.mode, key, data[_COLOUR_TYPE], data[_DEPTH]:
        case "L", int(), 0, (2 | 4) as depth:
            alpha = _alpha_where_not(image, key * (255 // ((1 << depth) - 1)))
            return Image.merge("LA", (image, alpha))
        case "I;16", int(), 0, 16:
            # Read as two bands of bytes, the lower byte first.
            low, high = Image.frombytes("LA", image.size, image.tobytes()).split()
            alpha = ImageChops.lighter(
                _alpha_where_not(low, key & 255), _alpha_where_not(high, key >> 8)
            )
            return Image.merge("LA", (integer_gray_to_8_bits(image), alpha))
        case "RGB", tuple(), 2, 16:
            alphas = [
                _alpha_where_not(band, part)
                for half, shift in ((image, 8), (_low_bytes(data), 0))
                for band, part in zip(half.split(), [v >> shift & 255 for v in key], strict=True)
            ]
            for other in alphas[1:]:
                alphas[0] = ImageChops.lighter(alphas[0], other)
            return Image.merge("RGBA", (*image.split(), alphas[0]))
    return image


def _alpha_where_not(band: Image.Image, value: int) -> Image.Image:
    """Return an alpha band that is transparent where the band has this value."""
    return band.point([0 if other == value else 255 for other in range(256)])


def _low_bytes(data: bytes) -> Image.Image:
    """Return the low byte of each 16-bit sample of a colour PNG, by decoding as little-endian.

    Raises ImageUnreadable and ImageTooBig.
    """
    with translate_decode_errors():
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
        image.load()
    return image

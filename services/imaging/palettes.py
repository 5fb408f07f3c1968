"""Few colours in place of many, for the formats that have a table of them."""

from PIL import Image

from services.imaging.colours import has_alpha, opaque

_HALF = 128


def paletted(image: Image.Image, colours: int, *, translucent: bool = False) -> Image.Image:
    """The image in `colours` colours at most; exactly as it was, where they suffice.

    Unless the format has translucent colours, a pixel is as transparent as a GIF's: wholly or not.
    """
    if not has_alpha(image):
        return _quantized(opaque(image).convert("RGB"), colours)
    if translucent:
        return image.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE)
    result = _quantized(opaque(image).convert("RGB"), colours - 1)
    hole = colours - 1
    table = result.getpalette() or []
    result.putpalette([*table[: 3 * hole], *[0] * (3 * hole - len(table)), 0, 0, 0])
    see_through = image.getchannel("A").point([255] * _HALF + [0] * (256 - _HALF))
    result.paste(hole, mask=see_through)
    result.info["transparency"] = hole
    return result


def _quantized(image: Image.Image, colours: int) -> Image.Image:
    plain = image.quantize(colours, Image.Quantize.MEDIANCUT)
    if image.getcolors(colours) is not None:
        return plain
    return image.quantize(palette=plain, dither=Image.Dither.FLOYDSTEINBERG)

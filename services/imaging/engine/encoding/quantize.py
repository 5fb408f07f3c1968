"""Reduce an image to a palette, for GIF and for PNG with a palette."""

import sys
from typing import cast

from PIL import Image

from services.imaging.engine.raster.alpha import drop_alpha, has_transparent_pixels

_HALF = 128  # an alpha below this is transparent where a format has no translucency
_Colour = tuple[int, int, int, int]
_TRANSPARENT: _Colour = (0, 0, 0, 0)


def paletted(image: Image.Image, colours: int, *, translucent: bool = False) -> Image.Image:
    """Return an image in mode P with at most `colours` colours; exact if it has no more.

    Wholly transparent pixels share one colour, which counts. `translucent` says that the format
    stores an alpha for each colour, as PNG does; otherwise a pixel becomes transparent or opaque.
    """
    if not has_transparent_pixels(image, 255 if translucent else _HALF):
        return _quantized(drop_alpha(image).convert("RGB"), colours)
    alpha = image.getchannel("A")
    if not translucent:
        exact = _exact_with_transparent_index(image, alpha, colours)
        return exact or _with_transparent_index(image, alpha, colours)
    if exact := _exact(_with_alpha(image, alpha), colours):
        return exact
    if any(alpha.histogram()[1:255]):
        return image.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE)
    return _with_transparent_index(image, alpha, colours)


def _exact(image: Image.Image, colours: int) -> Image.Image | None:
    """Return an RGBA image with an RGBA palette; None if it has too many colours."""
    table = _colours_of(image, colours)
    if table is None:
        return None
    result = _indexed(image, table)
    result.putpalette(b"".join(map(bytes, table)), "RGBA")
    return result


def _exact_with_transparent_index(
    image: Image.Image, alpha: Image.Image, colours: int
) -> Image.Image | None:
    """Return the image in P, all colours kept and alpha below 128 one index; None over `colours`.

    Any other alpha becomes opaque. At least one pixel must be transparent.
    """
    hard = _with_alpha(image, alpha.point([0] * _HALF + [255] * (256 - _HALF)))
    table = _colours_of(hard, colours)
    if table is None:
        return None
    opaque = [colour for colour in table if colour != _TRANSPARENT]
    result = _indexed(hard, [*opaque, _TRANSPARENT])
    result.putpalette(b"".join(bytes(colour[:3]) for colour in (*opaque, _TRANSPARENT)))
    result.info["transparency"] = len(opaque)
    return result


def _with_transparent_index(image: Image.Image, alpha: Image.Image, colours: int) -> Image.Image:
    """Return the image quantized to one colour less, and the last index for transparent pixels."""
    result = _quantized(drop_alpha(image).convert("RGB"), colours - 1)
    index = colours - 1
    table = result.getpalette() or []
    result.putpalette([*table[: 3 * index], *[0] * (3 * index - len(table)), 0, 0, 0])
    transparent = alpha.point([255] * _HALF + [0] * (256 - _HALF))
    result.paste(index, mask=transparent)
    result.info["transparency"] = index
    return result


def _with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return the image in RGBA with another alpha; wholly transparent pixels are all zero."""
    solid = drop_alpha(image).convert("RGB")
    solid.putalpha(alpha)
    result = Image.new("RGBA", image.size, _TRANSPARENT)
    result.paste(solid, mask=alpha.point([0] + [255] * 255))
    return result


def _colours_of(image: Image.Image, most: int) -> list[_Colour] | None:
    """Return an RGBA image's colours, the most frequent first; None if there are more."""
    # In RGBA each colour is a tuple, which Pillow's stubs leave open.
    counts = cast(list[tuple[int, _Colour]] | None, image.getcolors(most))
    return None if counts is None else [colour for _, colour in sorted(counts, reverse=True)]


def _indexed(image: Image.Image, table: list[_Colour]) -> Image.Image:
    """Return an RGBA image as indices into a table that holds all its colours."""
    indices = {int.from_bytes(bytes(colour), sys.byteorder): n for n, colour in enumerate(table)}
    pixels = memoryview(image.tobytes()).cast("I")
    return Image.frombytes("P", image.size, bytes(map(indices.__getitem__, pixels)))


def _quantized(image: Image.Image, colours: int) -> Image.Image:
    """Return an RGB image in the best palette found; dithered if it has more colours."""
    plain = image.quantize(colours, Image.Quantize.MEDIANCUT)
    if image.getcolors(colours) is not None:
        return plain
    return image.quantize(palette=plain, dither=Image.Dither.FLOYDSTEINBERG)

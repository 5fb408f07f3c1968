"""Few colours in place of many, for the formats that have a table of them."""

import sys

from PIL import Image

from services.imaging.engine.raster.alpha import drop_alpha, has_transparent_pixels

_HALF = 128
_Colour = tuple[int, int, int, int]
_HOLE: _Colour = (0, 0, 0, 0)


def paletted(image: Image.Image, colours: int, *, translucent: bool = False) -> Image.Image:
    """The image in `colours` colours at most; exactly as it was, where they suffice.

    All that is transparent is one of them. Unless the format has translucent colours, a pixel is as
    transparent as a GIF's: wholly or not.
    """
    if not has_transparent_pixels(image, 255 if translucent else _HALF):
        return _quantized(drop_alpha(image).convert("RGB"), colours)
    alpha = image.getchannel("A")
    if not translucent:
        return _exact_with_hole(image, alpha, colours) or _with_hole(image, alpha, colours)
    if exact := _exact(_cleared(image, alpha), colours):
        return exact
    if any(alpha.histogram()[1:255]):
        return image.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE)
    return _with_hole(image, alpha, colours)


def _exact(cleared: Image.Image, colours: int) -> Image.Image | None:
    table = _colours_of(cleared, colours)
    if table is None:
        return None
    result = _indexed(cleared, table)
    result.putpalette(b"".join(map(bytes, table)), "RGBA")
    return result


def _exact_with_hole(image: Image.Image, alpha: Image.Image, colours: int) -> Image.Image | None:
    cleared = _cleared(image, alpha.point([0] * _HALF + [255] * (256 - _HALF)))
    found = _colours_of(cleared, colours)
    if found is None:
        return None
    seen = [colour for colour in found if colour != _HOLE]
    result = _indexed(cleared, [*seen, _HOLE])
    result.putpalette(b"".join(bytes(colour[:3]) for colour in (*seen, _HOLE)))
    result.info["transparency"] = len(seen)
    return result


def _with_hole(image: Image.Image, alpha: Image.Image, colours: int) -> Image.Image:
    result = _quantized(drop_alpha(image).convert("RGB"), colours - 1)
    hole = colours - 1
    table = result.getpalette() or []
    result.putpalette([*table[: 3 * hole], *[0] * (3 * hole - len(table)), 0, 0, 0])
    see_through = alpha.point([255] * _HALF + [0] * (256 - _HALF))
    result.paste(hole, mask=see_through)
    result.info["transparency"] = hole
    return result


def _cleared(image: Image.Image, alpha: Image.Image) -> Image.Image:
    """The image with another transparency; what nobody sees has no colours of its own."""
    solid = drop_alpha(image).convert("RGB")
    solid.putalpha(alpha)
    cleared = Image.new("RGBA", image.size, _HOLE)
    cleared.paste(solid, mask=alpha.point([0] + [255] * 255))
    return cleared


def _colours_of(image: Image.Image, most: int) -> list[_Colour] | None:
    """The image's colours, the most frequent first, unless there are more than `most`."""
    found = image.getcolors(most)
    return None if found is None else [colour for _, colour in sorted(found, reverse=True)]  # type: ignore[misc]


def _indexed(image: Image.Image, table: list[_Colour]) -> Image.Image:
    places = {int.from_bytes(bytes(colour), sys.byteorder): n for n, colour in enumerate(table)}
    pixels = memoryview(image.tobytes()).cast("I")
    return Image.frombytes("P", image.size, bytes(map(places.__getitem__, pixels)))


def _quantized(image: Image.Image, colours: int) -> Image.Image:
    plain = image.quantize(colours, Image.Quantize.MEDIANCUT)
    if image.getcolors(colours) is not None:
        return plain
    return image.quantize(palette=plain, dither=Image.Dither.FLOYDSTEINBERG)

"""The picture that most files have, and the type of a named file."""

from functools import cache
from typing import Any

from PIL import Image

from tests.imaging.pictures import encoded, scenery

SIZE = (67, 45)  # odd, so that a subsampled colour ends within a pixel

Picture = tuple[str, bytes]
"""A name, which begins with the format, and an image file. `lossless` in it: to be exact."""


@cache
def scene(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a picture in colour; in RGBA and LA it is transparent towards the left."""
    image = scenery(*size).convert(mode)
    if mode in ("RGBA", "LA"):
        alpha = Image.linear_gradient("L").rotate(90).resize(size)
        image.putalpha(alpha)
    return image


def encoded_scene(
    format: str,
    mode: str,
    size: tuple[int, int] = SIZE,
    *,
    note: str = "",
    lossless: bool = False,
    **options: Any,
) -> Picture:
    """Return the scene in a format that has lossy and lossless files, named by the options."""
    data = encoded(scene(mode, size), format, lossless=lossless, **options)
    shown = [f"{name} {value}" for name, value in options.items() if isinstance(value, int)]
    if size != SIZE:
        shown.append(f"{size[0]} x {size[1]}")
    kind = "lossless" if lossless else "lossy"
    return " ".join([format.lower(), mode, kind, *shown, *[note] * bool(note)]), data

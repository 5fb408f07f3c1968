"""The picture that most files have, and the type of a named file."""

from functools import cache

from PIL import Image

from tests.imaging.pictures import scenery

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

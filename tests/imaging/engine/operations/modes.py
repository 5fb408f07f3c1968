"""Images in each mode, and their comparison, for the tests of operations."""

from PIL import Image

ALPHA = 90


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert the image to this mode; an alpha channel is ALPHA throughout."""
    converted = image.convert(mode)
    if mode.endswith("A"):
        converted.putalpha(ALPHA)
    return converted


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode and one.tobytes() == other.tobytes()

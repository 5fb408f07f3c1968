"""Blur, by the pixels at an image's edges."""

from PIL import Image

from services.imaging.engine.raster.blur import blur
from tests.imaging.pictures import psnr


def striped(width: int, margin: int = 0) -> Image.Image:
    """Black with a white stripe on the left, after so much more of the stripe."""
    image = Image.new("L", (margin + width, 20))
    image.paste(255, (0, 0, margin + 3, 20))
    return image


def test_beyond_its_edges_an_image_is_as_at_its_edges() -> None:
    far = blur(striped(40, margin=60), 4)

    assert psnr(blur(striped(40), 4), far.crop((60, 0, 100, 20))) > 50

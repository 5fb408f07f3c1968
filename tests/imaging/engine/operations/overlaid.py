"""Images to lay something over, and the box that has changed, for the tests of overlays."""

from PIL import Image

from contracts.operations.overlays import Watermark
from services.imaging.engine.operations.dispatch import apply
from services.imaging.engine.operations.overlays import Resources

KEY = "0123456789abcdef" * 4


def picture(mode: str = "RGB", size: tuple[int, int] = (100, 60)) -> Image.Image:
    """One gray; in modes with alpha, the lower half is transparent."""
    image = Image.new("L", size, 100).convert(mode)
    if mode.endswith("A"):
        image.putalpha(255)
        image.paste(0, (0, size[1] // 2, *size))
    return image


def watermarked(image: Image.Image, overlay: Image.Image, **fields: object) -> Image.Image:
    operation = Watermark.model_validate({"image": KEY, **fields})
    return apply(image, operation, resources=Resources({KEY: overlay}))


def changed(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box of the pixels that differ from the gray of `picture`."""
    return image.convert("L").point(lambda tone: 255 * (tone != 100)).getbbox()

"""Paste an image on a larger canvas: a colour, transparency, or a blurred copy of the image."""

from PIL import Image

from contracts.operations.sizes import Size, round_half_up
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.blur import blur
from services.imaging.engine.raster.resample import resample

# Blur a copy of this size and enlarge it: equally soft, for a hundredth of the work.
_BLURRED_SIDE = 160
_BLURRED_RADIUS = 4

Fill = tuple[int, ...]
"""One sample per band, as Pillow's functions take a colour."""


def place_on_colour(
    image: Image.Image, size: Size, corner: tuple[int, int], background: str | None
) -> Image.Image:
    """Paste the image with its upper left pixel at `corner` of a canvas of this size.

    `background` is #rrggbb, #rrggbbaa or None, as for `prepare_fill`. It fills the space around
    the image; transparent pixels of the image stay transparent.
    """
    image, fill = prepare_fill(image, background)
    canvas = Image.new(image.mode, size, fill)
    canvas.paste(image, corner)
    return canvas


def place_on_blurred_copy(image: Image.Image, size: Size, corner: tuple[int, int]) -> Image.Image:
    """Paste the image at `corner` of a canvas that an enlarged, blurred copy of it covers."""
    scale = max(size[0] / image.width, size[1] / image.height)
    across, down = size[0] / scale, size[1] / scale
    left, upper = (image.width - across) / 2, (image.height - down) / 2
    shrink = min(1.0, _BLURRED_SIDE / max(size))
    small = resample(
        image,
        (max(1, round_half_up(size[0] * shrink)), max(1, round_half_up(size[1] * shrink))),
        (max(0.0, left), max(0.0, upper), left + across, upper + down),
    )
    canvas = blur(small, _BLURRED_RADIUS).resize(size, Image.Resampling.BICUBIC)
    canvas.paste(image, corner)
    return canvas


def prepare_fill(image: Image.Image, background: str | None) -> tuple[Image.Image, Fill]:
    """Convert the image to a mode that can hold the background, and the background to that mode.

    Without a background the fill is transparent if the image has an alpha channel, else white.
    """
    if background is None:
        return image, _default_fill(image)
    colour = Image.new("RGBA", (1, 1), background)
    red, green, blue, alpha = colour.tobytes()
    is_gray = image.mode in ("L", "LA") and red == green == blue
    mode = "L" if is_gray else "RGB"
    if has_alpha(image) or alpha < 255:
        mode += "A"
    return image if image.mode == mode else image.convert(mode), _samples(colour.convert(mode))


def _default_fill(image: Image.Image) -> Fill:
    pixel = Image.new("RGBA", (1, 1), (0, 0, 0, 0) if has_alpha(image) else "white")
    return _samples(pixel.convert(image.mode))


def _samples(pixel: Image.Image) -> Fill:
    return tuple(pixel.tobytes())

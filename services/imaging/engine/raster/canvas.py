"""What lies around or behind a picture: nothing, a colour, or the picture itself, blurred."""

from PIL import Image, ImageFilter

from services.imaging.engine.raster.alpha import has_alpha, premultiply
from services.imaging.engine.raster.geometry import Size, nearest
from services.imaging.engine.raster.resample import resample

# The picture is blurred this small, and then enlarged: as soft, for a hundredth of the work.
_BLURRED_SIDE = 160
_BLURRED_RADIUS = 4

Fill = tuple[int, ...]


def on_colour(
    picture: Image.Image, size: Size, corner: tuple[int, int], background: str | None
) -> Image.Image:
    """The picture at `corner` of a canvas; what is transparent in it stays so."""
    picture, fill = prepared(picture, background)
    canvas = Image.new(picture.mode, size, fill)
    canvas.paste(picture, corner)
    return canvas


def on_itself(picture: Image.Image, size: Size, corner: tuple[int, int]) -> Image.Image:
    """The picture at `corner` of a canvas that it covers a second time, blurred."""
    scale = max(size[0] / picture.width, size[1] / picture.height)
    across, down = size[0] / scale, size[1] / scale
    left, upper = (picture.width - across) / 2, (picture.height - down) / 2
    shrink = min(1.0, _BLURRED_SIDE / max(size))
    small = resample(
        picture,
        (max(1, nearest(size[0] * shrink)), max(1, nearest(size[1] * shrink))),
        (max(0.0, left), max(0.0, upper), left + across, upper + down),
    )
    soft = premultiply(small).filter(ImageFilter.GaussianBlur(_BLURRED_RADIUS))
    canvas = soft.resize(size, Image.Resampling.BICUBIC).convert(picture.mode)
    canvas.paste(picture, corner)
    return canvas


def prepared(image: Image.Image, background: str | None) -> tuple[Image.Image, Fill]:
    """The image in a mode that has room for a colour (#rrggbb or #rrggbbaa), and that colour.

    Without one it is nothing where the image has transparency, else white.
    """
    if background is None:
        return image, _nothing(image)
    colour = Image.new("RGBA", (1, 1), background)
    red, green, blue, alpha = colour.tobytes()
    is_gray = image.mode in ("L", "LA") and red == green == blue
    mode = "L" if is_gray else "RGB"
    if has_alpha(image) or alpha < 255:
        mode += "A"
    return image if image.mode == mode else image.convert(mode), _bands(colour.convert(mode))


def _nothing(image: Image.Image) -> Fill:
    bare = Image.new("RGBA", (1, 1), (0, 0, 0, 0) if has_alpha(image) else "white")
    return _bands(bare.convert(image.mode))


def _bands(pixel: Image.Image) -> Fill:
    return tuple(pixel.tobytes())

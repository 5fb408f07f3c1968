"""Where the picture is in an image that has more background than it needs."""

from PIL import Image, ImageChops, ImageColor

from services.imaging.engine.raster.alpha import premultiply


def picture_box(
    image: Image.Image, tolerance: int, background: str | None
) -> tuple[int, int, int, int]:
    """The smallest box that holds every pixel which is not background; all of it, if none is.

    A background pixel has no channel further than `tolerance` from the background's, which is the
    top left pixel's unless a colour (#rrggbb or #rrggbbaa) is given. Colours weigh as much as they
    are opaque: what is transparent is all alike.
    """
    if background is None:
        plain = premultiply(image)
        colour = plain.getpixel((0, 0))
    else:
        plain = premultiply(image.convert("RGBA"))
        bare = Image.new("RGBA", (1, 1), ImageColor.getcolor(background, "RGBA"))
        colour = premultiply(bare).getpixel((0, 0))
    flat = Image.new(plain.mode, plain.size, colour)
    difference = ImageChops.difference(plain, flat).point(lambda off: 255 * (off > tolerance))
    return difference.getbbox(alpha_only=False) or (0, 0, *image.size)

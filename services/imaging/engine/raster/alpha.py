"""The alpha channel of images in L, LA, RGB or RGBA: look for transparency, apply it, drop it."""

from PIL import Image


def has_alpha(image: Image.Image) -> bool:
    """Return whether the mode has an alpha channel, even one that is opaque throughout."""
    return image.mode in ("LA", "RGBA")


def has_transparent_pixels(image: Image.Image, opaque_from: int = 255) -> bool:
    """Return whether any pixel has an alpha below `opaque_from` (1 to 255)."""
    return has_alpha(image) and any(image.getchannel("A").histogram()[:opaque_from])


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Blend the image with white into L or RGB; an image without alpha is returned unchanged."""
    if not has_alpha(image):
        return image
    colours = drop_alpha(image)
    canvas = Image.new(colours.mode, image.size, "white")
    canvas.paste(colours, mask=image.getchannel("A"))
    return canvas


def premultiply(image: Image.Image) -> Image.Image:
    """Multiply colours by alpha, into mode La or RGBa, so that transparent pixels are all alike.

    An image without alpha is returned unchanged. Converting back to LA or RGBA divides again.
    """
    mode = {"LA": "La", "RGBA": "RGBa"}.get(image.mode)
    return image if mode is None else image.convert(mode)


def drop_alpha(image: Image.Image) -> Image.Image:
    """The colours in L or RGB, including those of transparent pixels."""
    return image.convert("L" if image.mode in ("L", "LA") else "RGB")

"""Operations that lay something over an image: another image, or a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from PIL import Image

from contracts.errors import NotFound
from contracts.operations.overlays import OverlayOperation, Position, Text, Watermark
from contracts.operations.sizes import Size, round_half_up
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.operations.text import LEFT, RIGHT, draw_text
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.resample import resample

_TOP = (Position.TOP_LEFT, Position.TOP, Position.TOP_RIGHT)
_BOTTOM = (Position.BOTTOM_LEFT, Position.BOTTOM, Position.BOTTOM_RIGHT)


@dataclass(frozen=True)
class Resources:
    """The images and fonts that overlays use.

    `images` has those that `Pipeline.images` names, by key: decoded, upright and in sRGB.
    """

    images: Mapping[str, Image.Image] = field(default_factory=dict)
    fonts: Fonts = BUNDLED_FONTS


NO_RESOURCES = Resources()


@dataclass(frozen=True)
class Layer:
    """An overlay ready to be laid: its size and opacity are final."""

    image: Image.Image  # LA or RGBA
    position: Position
    x: int
    y: int


def resolve(picture: Size, operation: OverlayOperation, resources: Resources) -> Layer:
    """Scale the watermark, or draw the text, for pictures of this size.

    Raises NotFound for an image that `resources` lacks, InvalidOperation and ImageTooBig.
    """
    match operation:
        case Watermark():
            if operation.image not in resources.images:
                raise NotFound(f"watermark: there is no image {operation.image}.")
            image = _scaled(resources.images[operation.image], operation.scale, picture)
        case Text():
            image = draw_text(operation, resources.fonts, picture[0])
        case _:
            assert_never(operation)
    opacity, position = operation.opacity, operation.position
    return Layer(_faded(image, opacity), position, operation.x, operation.y)


def lay(image: Image.Image, layer: Layer) -> Image.Image:
    """Composite the layer over the image, once or as tiles.

    The result has an alpha channel if the image has one, and is in colour if either is.
    """
    mode = "RGB" if "RGB" in image.mode + layer.image.mode else "L"
    canvas = image.convert(mode + "A" if has_alpha(image) else mode)
    tile = layer.image.convert(mode + "A")
    if layer.position is Position.TILE:
        row = Image.new(tile.mode, (canvas.width, min(tile.height, canvas.height)))
        for left in range(0, canvas.width, tile.width + layer.x):
            row.paste(tile, (left, 0))
        for upper in range(0, canvas.height, tile.height + layer.y):
            _composite(canvas, row, (0, upper))
    else:
        _composite(canvas, tile, _corner(canvas.size, layer))
    return canvas


def _scaled(image: Image.Image, scale: float | None, picture: Size) -> Image.Image:
    """Return the image at `scale` times the picture's width, or less to be no higher than it.

    None leaves the image as it is, whatever its size.
    """
    if scale is None:
        return image
    factor = min(picture[0] * scale / image.width, picture[1] / image.height)
    size = (
        max(1, round_half_up(image.width * factor)),
        max(1, round_half_up(image.height * factor)),
    )
    return resample(image, size, (0, 0, *image.size))


def _faded(image: Image.Image, opacity: float) -> Image.Image:
    """The image in LA or RGBA, its alpha multiplied by `opacity`."""
    result = image if has_alpha(image) else image.convert(image.mode + "A")
    if opacity == 1:
        return result
    alpha = result.getchannel("A").point([round(tone * opacity) for tone in range(256)])
    result = result.copy()
    result.putalpha(alpha)
    return result


def _corner(picture: Size, layer: Layer) -> tuple[int, int]:
    """Return the place of the layer's upper left pixel on the picture; it may be outside."""
    space = picture[0] - layer.image.width, picture[1] - layer.image.height
    left, upper = space[0] // 2 + layer.x, space[1] // 2 + layer.y
    if layer.position in LEFT:
        left = layer.x
    if layer.position in RIGHT:
        left = space[0] - layer.x
    if layer.position in _TOP:
        upper = layer.y
    if layer.position in _BOTTOM:
        upper = space[1] - layer.y
    return left, upper


def _composite(canvas: Image.Image, image: Image.Image, corner: tuple[int, int]) -> None:
    """Draw the part of the image that lies on the canvas, in place."""
    left, upper = max(0, corner[0]), max(0, corner[1])
    right = min(canvas.width, corner[0] + image.width)
    lower = min(canvas.height, corner[1] + image.height)
    if left >= right or upper >= lower:
        return
    visible = image.crop(
        (left - corner[0], upper - corner[1], right - corner[0], lower - corner[1])
    )
    box = left, upper, right, lower
    if has_alpha(canvas):
        canvas.paste(Image.alpha_composite(canvas.crop(box), visible), box)
    else:
        canvas.paste(visible.convert(canvas.mode), box, visible.getchannel("A"))

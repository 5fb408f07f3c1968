"""Images for the tests, drawn here, and helpers that read and compare images."""

import io
import math
import struct
import zlib
from typing import Any

from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from contracts.formats import Format
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.formats import pillow
from services.imaging.engine.safety.limits import Limits

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 160, 0), (0, 0, 255), (255, 255, 0)
CORNERS = {"upper left": RED, "upper right": GREEN, "lower left": BLUE, "lower right": YELLOW}
UPRIGHT = {corner: corner for corner in CORNERS}

READ = tuple(format.upper() for format in Format)
WORK_MODES = ("L", "LA", "RGB", "RGBA")  # the modes in which operations work
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# A profile that swaps red and blue.
RED_IS_BLUE = SRGB.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")


def quadrants(width: int = 80, height: int = 60, mode: str = "RGB") -> Image.Image:
    """Four quarters: red and green above blue and yellow."""
    image = Image.new("RGB", (2, 2))
    for spot, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), CORNERS.values(), strict=True):
        image.putpixel(spot, colour)
    return image.resize((width, height), Image.Resampling.NEAREST).convert(mode)


def scenery(width: int = 803, height: int = 601) -> Image.Image:
    """Gradients, edges and texture in colour, in place of a photograph."""
    size = (width, height)
    bands = (
        Image.radial_gradient("L").resize(size),
        Image.linear_gradient("L").resize(size),
        Image.linear_gradient("L").rotate(90).resize(size),
    )
    image = Image.merge("RGB", bands)
    draw = ImageDraw.Draw(image)
    for step in range(0, width, 23):
        colour = (step * 7 % 256, step * 3 % 256, step * 5 % 256)
        draw.ellipse((step, step // 2, step + 60, step // 2 + 90), outline=colour, width=2)
        draw.line((0, step, step, height), fill=colour, width=3)
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return an image as a file, saved by Pillow with its own options."""
    pillow.configure()  # for HEIF and JXL
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    """Return a file as Pillow opens it, with its pixels loaded."""
    pillow.configure()
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixels_of(data: bytes) -> Image.Image:
    """Return a file's first frame as the engine decodes it."""
    return decode.decode(open_source(data, Limits())).image


def exif_of(orientation: int) -> Image.Exif:
    """EXIF with an orientation, 1 to 8, and nothing else."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def corners(image: Image.Image) -> dict[str, str]:
    """Return, for each corner of an image, the key of the nearest colour of `CORNERS`."""
    rgb = image.convert("RGB")
    across, down = image.width // 8, image.height // 8
    spots = {
        "upper left": (across, down),
        "upper right": (image.width - 1 - across, down),
        "lower left": (across, image.height - 1 - down),
        "lower right": (image.width - 1 - across, image.height - 1 - down),
    }
    return {corner: _named(pixel(rgb, *spot)) for corner, spot in spots.items()}


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Return the bands of one pixel."""
    found = image.getpixel((x, y))
    return tuple(int(band) for band in found) if isinstance(found, tuple) else (int(found or 0),)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Return the peak signal-to-noise ratio of two images, in decibels."""
    difference = ImageStat.Stat(ImageChops.difference(one, other))
    error = sum(difference.sum2) / sum(difference.count)
    return 10 * math.log10(255**2 / error) if error else math.inf


def png_claiming(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A one-bit PNG whose header claims this size, with any pixel data."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _named(colour: tuple[int, ...]) -> str:
    def distance(corner: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(CORNERS[corner], colour, strict=True))

    return min(CORNERS, key=distance)


def same(one: Image.Image, other: Image.Image) -> bool:
    """Return whether two images have the same mode, size and pixels."""
    return one.mode == other.mode and one.size == other.size and one.tobytes() == other.tobytes()

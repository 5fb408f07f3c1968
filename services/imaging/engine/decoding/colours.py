"""The colours of an opened file, from its profile or from fields of its own format."""

from PIL import Image

from contracts.formats import Format
from services.imaging.engine.formats import nclx
from services.imaging.engine.formats.png import colours as png_colours
from services.imaging.engine.raster.colours import Colours, by_profile


def colours_of(image: Image.Image, format: Format, data: bytes) -> Colours:
    """Return the colours of an image that Pillow has opened; `data` is the file."""
    profile = image.info.get("icc_profile") or b""
    match format:
        case Format.PNG:
            return png_colours.colours(data, profile)
        case Format.AVIF | Format.HEIF if not profile:
            return nclx.colours(data)
    return by_profile(profile)

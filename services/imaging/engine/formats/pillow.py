"""The engine's changes to Pillow's global state, made by one call and by no import.

Two changes: the plugins for HEIF and JPEG XL are registered, and `PIL.Image.Exif.load` takes EXIF
that is too long or broken for none. `open_source` and `encode` call `configure`, so every path to
pixels does. Other code calls `configure` only to use the plugins through Pillow itself.
"""

import warnings
from functools import cache

from PIL import Image

from contracts.errors import ImageTooBig
from services.imaging.engine.formats import plugins
from services.imaging.engine.safety import tiff_tags
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS


@cache
def configure() -> None:
    """Register the plugins and guard `PIL.Image.Exif.load`; later calls do nothing (20 ns).

    The method is replaced because Pillow 13.0 parses the EXIF of an AVIF within `Image.open`, with
    an object for each value, before a caller can look at it, and refuses some images because of
    it. Once `Image.open` only stores the bytes in `image.info["exif"]`, `open_source` can check
    those instead.
    """
    plugins.register()
    parse = Image.Exif.load

    def load(exif: Image.Exif, data: bytes) -> None:
        try:
            tiff_tags.check_exif(data)
            with warnings.catch_warnings(action="ignore"):
                parse(exif, data)
        except (ImageTooBig, *DECODE_ERRORS):
            # EXIF is beside the pixels: it never costs the picture.
            parse(exif, b"")

    # Pillow has no other place to guard the parser.
    Image.Exif.load = load  # type: ignore[assignment, method-assign]

"""The engine's changes to Pillow's global state, made by one call and by no import.

Two changes: the plugins for HEIF and JPEG XL are registered, and `PIL.Image.Exif` is replaced by a
class that checks EXIF before it parses EXIF. `open_source` and `encode` call `configure`, so every
path to pixels does. Other code calls `configure` only to use the plugins through Pillow itself.
"""

from functools import cache

from PIL import Image

from services.imaging.engine.formats import plugins
from services.imaging.engine.safety import tiff_tags


class _CheckedExif(Image.Exif):
    """EXIF that raises ImageTooBig before Pillow makes an object of each of its values."""

    def load(self, data: bytes) -> None:
        tiff_tags.check_exif(data)
        super().load(data)


@cache
def configure() -> None:
    """Register the plugins and replace `PIL.Image.Exif`; later calls do nothing (50 ns).

    The class is replaced because Pillow 13.0 parses the EXIF of a JPEG or an AVIF within
    `Image.open`, before a caller can look at it. Once `Image.open` only stores the bytes in
    `image.info["exif"]`, `open_source` can check those instead.
    """
    plugins.register()
    Image.Exif = _CheckedExif  # type: ignore[misc]

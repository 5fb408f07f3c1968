"""The formats that are installed, and the plugins that Pillow needs for some of them."""

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

from PIL import features

from contracts.formats import Format
from contracts.version import VERSION

INSTALLED = tuple(
    format
    for format in Format
    if format.spec.package is None or find_spec(format.spec.package) is not None
)
"""Formats whose codec is installed."""

PILLOW_NAMES = tuple(format.upper() for format in INSTALLED)
"""The same formats by their names in Pillow, as `Image.open` takes them."""


_DISTRIBUTIONS = {Format.HEIF: "pillow-heif", Format.JXL: "pillow-jxl-plugin"}
_LIBRARIES = ("jpg", "libjpeg_turbo", "zlib", "zlib_ng", "libtiff", "webp", "avif")


@cache
def capability() -> str:
    """Return a fingerprint of the decoders and their versions: equal ones read the same files."""
    decoders = [f"darkroom {VERSION}", f"pillow {version('pillow')}"]
    decoders += [f"{library} {features.version(library)}" for library in _LIBRARIES]
    plugins = (_DISTRIBUTIONS[format] for format in INSTALLED if format in _DISTRIBUTIONS)
    decoders += [f"{plugin} {version(plugin)}" for plugin in plugins]
    return hashlib.sha256("\n".join(decoders).encode()).hexdigest()[:16]


def register() -> None:
    """Register the installed plugins with Pillow, with one decoder thread each.

    Decoded bytes must not depend on the number of threads.
    """
    if Format.HEIF in INSTALLED:
        import pillow_heif

        # No embedded thumbnails: a thumbnail may show another picture than the image.
        pillow_heif.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
        )
    if Format.JXL in INSTALLED:
        import pillow_jxl.JpegXLImagePlugin

        pillow_jxl.JpegXLImagePlugin.DECODE_THREADS = 0


def missing(format: Format) -> str | None:
    """Return the error detail for a format that is not installed; None for an installed one."""
    if format in INSTALLED:
        return None
    return f"This worker has no {format}; install the project with its extra {format!s}."

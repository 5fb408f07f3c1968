"""Formats that Pillow has no codec of its own for, where their packages are installed."""

from importlib.util import find_spec

from contracts.formats import Format

INSTALLED = tuple(
    format
    for format in Format
    if format.spec.package is None or find_spec(format.spec.package) is not None
)
"""Formats that this worker reads and writes."""

PILLOW_NAMES = tuple(format.upper() for format in INSTALLED)
"""The names that `Image.open` knows them by."""


def register() -> None:
    """Register the installed plugins with Pillow, with one decoder thread each.

    Decoded bytes must not depend on the number of threads.
    """
    if Format.HEIF in INSTALLED:
        import pillow_heif

        # An embedded thumbnail is no draft of its picture: it may be another one.
        pillow_heif.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
        )
    if Format.JXL in INSTALLED:
        import pillow_jxl.JpegXLImagePlugin

        pillow_jxl.JpegXLImagePlugin.DECODE_THREADS = 0


def missing(format: Format) -> str | None:
    """What to say of a format that is not installed; None for one that is."""
    if format in INSTALLED:
        return None
    return f"This worker has no {format}; install the project with its extra {format!s}."

"""The exceptions Pillow raises on malformed bytes, translated into the errors of the contracts."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable

# Measured by fuzzing every format, as Pillow does not document its exceptions.
DECODE_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)
"""Every exception that Pillow raises because of the bytes it reads, other than MemoryError."""


@contextmanager
def translate_decode_errors() -> Iterator[None]:
    """Raise ImageTooBig or ImageUnreadable in place of Pillow's exceptions; ignore its warnings.

    Put it around calls to Pillow and nothing else: an exception of our own code is a fault of this
    software, and must not be reported as a fault of the image.
    A MemoryError stays what it is: it tells of this process, and not of the image.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Image.DecompressionBombError as exc:
        raise ImageTooBig("Decoding the image takes more memory than is allowed.") from exc
    except DECODE_ERRORS as exc:
        raise ImageUnreadable("The bytes are not an image, or the image is incomplete.") from exc


@contextmanager
def ignore_decode_errors() -> Iterator[None]:
    """End the block where Pillow raises, and ignore its warnings: for data beside the pixels."""
    with warnings.catch_warnings(action="ignore"), suppress(*DECODE_ERRORS):
        yield

"""Text in EXIF: Pillow reads every byte as a Latin-1 letter, but cameras write UTF-8.

Seen in Pillow 13.0. This module can go once Pillow reads and writes such text as UTF-8.
"""

from contextlib import suppress
from typing import Any


class ExifText(str):
    """A string of Latin-1 letters that Pillow writes as the same bytes.

    Pillow encodes a plain string as ASCII and replaces every other letter by a question mark.
    """

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        """One byte per letter; `encoding` is ignored."""
        return super().encode("latin-1", errors)


def keep_bytes(value: Any) -> Any:
    """Make a tag's value, as read by Pillow, keep its bytes when written; only texts change."""
    return ExifText(value) if isinstance(value, str) else value


def encode_text(text: str) -> ExifText:
    """The value that stores a text as UTF-8."""
    return ExifText(text.encode(errors="replace").decode("latin-1"))


def decode_text(value: str) -> str:
    """The text of a value as read by Pillow: UTF-8 if it is valid, else Latin-1."""
    with suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value

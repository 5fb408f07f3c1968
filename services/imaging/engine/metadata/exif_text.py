"""Texts in EXIF: Pillow takes every byte for a letter of Latin-1, where cameras write UTF-8."""

from contextlib import suppress
from typing import Any


class ExifText(str):
    """A text that Pillow writes as the bytes that it was, not with a ? for all but ASCII."""

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        """A byte a letter, whatever is asked for."""
        return super().encode("latin-1", errors)


def keep_bytes(value: Any) -> Any:
    """What Pillow read of a tag, to be written again; what is no text stays as it is."""
    return ExifText(value) if isinstance(value, str) else value


def encode_text(text: str) -> ExifText:
    """A text as EXIF is to hold it: in UTF-8."""
    return ExifText(text.encode(errors="replace").decode("latin-1"))


def decode_text(value: str) -> str:
    """What Pillow read of a tag, as it was meant: UTF-8, or else Latin-1."""
    with suppress(UnicodeError):
        return value.encode("latin-1").decode()
    return value

"""Fonts by name: those of a directory, and the one that comes with Pillow."""

import unicodedata
from pathlib import Path
from typing import Self

from PIL import ImageFont, features

from contracts.errors import InvalidOperation

_SUFFIXES = (".ttf", ".otf", ".ttc")


class Fonts:
    """Which file a name stands for: a client's name is looked up, and never part of a path."""

    def __init__(self, files: dict[str, Path] | None = None) -> None:
        self._files = files or {}

    @classmethod
    def of(cls, directory: Path) -> Self:
        """The fonts that lie in the directory now, by their files' names without the suffix."""
        files = sorted(directory.iterdir())
        return cls({file.stem: file for file in files if file.suffix.lower() in _SUFFIXES})

    def find(self, name: str | None, size: float) -> ImageFont.FreeTypeFont:
        """The font in this size, in pixels; without a name, Aileron. Raises InvalidOperation."""
        if name is None:
            bundled = ImageFont.load_default(size)
            assert isinstance(bundled, ImageFont.FreeTypeFont)
            return bundled
        if name not in self._files:
            there_are = ", ".join(self._files) or "none but the default"
            raise InvalidOperation(f"text: font: {name!r} is not here; there are: {there_are}.")
        return ImageFont.truetype(self._files[name], size)


BUNDLED = Fonts()


def check_script(text: str) -> None:
    """Refuse what would be drawn wrong: without Raqm, letters neither join nor go leftwards."""
    leftwards = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    if leftwards and not features.check("raqm"):
        raise InvalidOperation("text: Pillow lacks Raqm here, which writes from right to left.")

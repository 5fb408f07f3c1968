"""Fonts by name: those of a directory, and the one that comes with Pillow."""

import unicodedata
from pathlib import Path
from typing import Self

from PIL import ImageFont, features

from contracts.errors import InvalidOperation

# The last code point, which never is a character: it is drawn as a font draws what it lacks.
_NO_LETTER = "\U0010ffff"

_SUFFIXES = (".ttf", ".otf", ".ttc")


class Fonts:
    """Which file a name stands for: a client's name is looked up, and never part of a path."""

    def __init__(self, files: dict[str, Path] | None = None) -> None:
        self._files = files or {}

    @classmethod
    def in_directory(cls, directory: Path) -> Self:
        """Those in the directory now, at any depth, by their files' names without the suffix."""
        files = sorted(directory.rglob("*"))
        return cls({file.stem: file for file in files if file.suffix.lower() in _SUFFIXES})

    def find(self, name: str | None, size: float) -> ImageFont.FreeTypeFont:
        """The font in this size, in pixels; without a name, Aileron. Raises InvalidOperation."""
        if name is None:
            bundled = ImageFont.load_default(size)
            assert isinstance(bundled, ImageFont.FreeTypeFont)
            # It comes with whole pixels between its letters; Raqm, where it is, does better.
            return bundled.font_variant(layout_engine=ImageFont.Layout.RAQM)
        if name not in self._files:
            there_are = ", ".join(self._files) or "none but the default"
            raise InvalidOperation(f"text: font: {name!r} is not here; there are: {there_are}.")
        return ImageFont.truetype(self._files[name], size)


BUNDLED_FONTS = Fonts()


def check_letters(text: str, font: ImageFont.FreeTypeFont) -> None:
    """Refuse what would be drawn as boxes, unjoined or in the wrong order.

    Without Raqm, Pillow neither joins letters nor writes from right to left. Raises
    InvalidOperation.
    """
    letters = sorted(set("".join(text.split())))
    leftwards = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in letters)
    if leftwards and not features.check("raqm"):
        raise InvalidOperation("text: there is no Raqm here, which writes from right to left.")
    small = font.font_variant(size=20)
    box = _drawn(small, _NO_LETTER)
    missing = [letter for letter in letters if _drawn(small, letter) == box]
    if missing:
        raise InvalidOperation(f"text: the font does not have {' '.join(missing[:20])}.")


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> tuple[float, bytes]:
    return font.getlength(letter), bytes(font.getmask(letter))

"""The fonts that a text operation may name."""

from pathlib import Path
from typing import Self

from PIL import ImageFont

from contracts.errors import InvalidOperation

_SUFFIXES = (".ttf", ".otf", ".ttc")


class Fonts:
    """Font files by name, and Pillow's bundled font.

    A client's name is only looked up, so it can't reach any other file.
    """

    def __init__(self, files: dict[str, Path] | None = None) -> None:
        self._files = files or {}

    @classmethod
    def in_directory(cls, directory: Path) -> Self:
        """The fonts in a directory and those below; a font's name is its file's without suffix."""
        files = sorted(directory.rglob("*"))
        return cls({file.stem: file for file in files if file.suffix.lower() in _SUFFIXES})

    def find(self, name: str | None, size: float) -> ImageFont.FreeTypeFont:
        """Load the font at this size in pixels; None is Aileron, which comes with Pillow.

        Raises InvalidOperation if no font has this name.
        """
        if name is None:
            bundled = ImageFont.load_default(size)
            assert isinstance(bundled, ImageFont.FreeTypeFont)
            # Pillow loads it with basic layout: whole pixels between letters. Raqm is finer.
            return bundled.font_variant(layout_engine=ImageFont.Layout.RAQM)
        if name not in self._files:
            known = ", ".join(self._files) or "only the default"
            raise InvalidOperation(f"text: font: {name!r} is unknown; the fonts are: {known}.")
        return ImageFont.truetype(self._files[name], size)


BUNDLED_FONTS = Fonts()

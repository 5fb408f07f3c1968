"""Make text from files and servers safe to print on a terminal."""

import unicodedata
from pathlib import Path

from rich.text import Text


def printable(text: str | Path, style: str = "") -> Text:
    """Return text without Rich markup, with control characters and surrogates replaced."""
    return Text("".join(map(_printable, str(text))), style)


def _printable(character: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character)[0] == "C" else character

"""What comes from outside, made fit for a terminal."""

import unicodedata
from pathlib import Path

from rich.text import Text


def plain(said: str | Path, style: str = "") -> Text:
    """Text that is no markup, and that can't move the cursor or break an encoding."""
    return Text("".join(map(_visible, str(said))), style)


def _visible(character: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character)[0] == "C" else character

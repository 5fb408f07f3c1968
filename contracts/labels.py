"""Labels: names of images for people, such as the name of a file. A label is never a path."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_LABEL = 200
"""Characters of a label."""

# Control characters, halves of surrogate pairs, and ends of lines and paragraphs.
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They change the order of characters: `photo<U+202E>gpj.exe` is shown as `photoexe.jpg`.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_label(text: str) -> str:
    """Return a label in NFC, without spaces around it. Raises ValueError."""
    label = unicodedata.normalize("NFC", text.strip())
    if len(label) > MAX_LABEL:
        raise ValueError(f"a label may have {MAX_LABEL} characters at most")
    if not all(map(_is_allowed, label)):
        raise ValueError("a label may have no control characters and no ends of lines")
    return label


def label_of_file(name: str) -> str:
    """Return the label that a file's name makes: without folders, and cut to the limit.

    Characters that no label may have are left out. Returns "" where nothing is left.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    label = unicodedata.normalize("NFC", "".join(filter(_is_allowed, last)).strip())
    return label[:MAX_LABEL].rstrip()


def _is_allowed(character: str) -> bool:
    return unicodedata.category(character) not in _CATEGORIES and character not in _REORDERING


LABEL_TEXT = (
    f"Name for people, such as a file's: up to {MAX_LABEL} characters, no control characters. "
    "It is stored in Unicode's form NFC."
)
"""Description of a label, for parameters and fields."""

# `check_label` knows more of Unicode, and counts after the spaces around a label are gone.
_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$"

Label = Annotated[
    str,
    Field(
        examples=["kitchen.jpg"],
        description=LABEL_TEXT,
        json_schema_extra={"maxLength": MAX_LABEL, "pattern": _PATTERN},
    ),
    AfterValidator(check_label),
]
"""The type of a label that a client sends."""

"""Type of a crafted file: the outcomes that are accepted, and the function that builds it."""

from collections.abc import Callable

REFUSED = frozenset({"image_unreadable", "image_too_big", "unsupported_format"})
DONE = frozenset({"done"})
ANY = REFUSED | DONE

Bomb = tuple[frozenset[str], Callable[[], bytes]]
"""The outcomes that are accepted, and a function that builds the file."""

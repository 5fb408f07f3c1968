"""A crafted file that costs a naive decoder much, and how the engine may answer."""

from collections.abc import Callable

REFUSED = frozenset({"image_unreadable", "image_too_big", "unsupported_format"})
DONE = frozenset({"done"})
ANY = REFUSED | DONE

Bomb = tuple[frozenset[str], Callable[[], bytes]]
"""The outcomes that are accepted, and a function that builds the file."""

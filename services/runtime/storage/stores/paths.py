"""Check of paths in a store: no path leaves the store."""

import re

_LONGEST = 512  # characters; S3 takes 1,024 bytes with the prefix
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


def check_path(path: str) -> None:
    """Raise ValueError unless `path` is plain names with single slashes between them.

    A name starts with a letter, a digit, `_` or `-`, so `..` is none.
    """
    if len(path) > _LONGEST or not _PATH.fullmatch(path):
        raise ValueError(f"{path[:80]!r} is no path in a store")

"""Lua scripts, which Redis runs as one step."""

import hashlib
from typing import Any


class Script:
    """A script, known to Redis by its digest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """The command that runs it."""
        return "EVALSHA", self._sha, len(keys), *keys, *args

    def in_full(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """The command where Redis doesn't know it (any more), and does from then on."""
        return "EVAL", self._text, len(keys), *keys, *args

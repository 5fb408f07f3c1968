"""Attachments: bytes behind the JSON of a reply, for a caller that asks for them.

The body of such a reply is its JSON and, after it, as many bytes as a header says. Small results
travel so: decision 0043 has the figures.
"""

from collections.abc import Mapping
from typing import Any

ATTACH_UP_TO = "x-attach-up-to"
"""Header of a request: the most bytes that its caller takes with the reply."""
ATTACHED = "x-attached"
"""Header of a reply: the number of bytes at the end of its body that are no JSON."""

_MAX_DIGITS = 9


def taken_up_to(headers: Mapping[str, Any]) -> int:
    """Return how many bytes the caller of a request takes with its reply; 0 without the header."""
    return _number(headers.get(ATTACH_UP_TO))


def split(body: bytes, headers: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the JSON of a reply's body, and the bytes that are attached to it."""
    end = len(body) - _number(headers.get(ATTACHED))
    return (body, b"") if end < 0 else (body[:end], body[end:])


def _number(text: object) -> int:
    if not isinstance(text, str) or not text.isdecimal() or len(text) > _MAX_DIGITS:
        return 0
    return int(text)

"""Answers that are there as a whole, with their header as lines: they take one write."""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.types import Message

from services.gateway.delivery.middleware import SMALL
from services.gateway.middleware.fields import Field

_LENGTH = b"content-length"
_WHOLE = frozenset({200, 202})  # status codes of answers that are written as a whole


class WholeAnswer(NamedTuple):
    """An answer that is there as a whole."""

    status: int
    lines: bytes
    """The lines of its header, but for those that uvicorn adds to every answer."""
    body: bytes


def whole_answer(start: Message, first: Message) -> WholeAnswer | None:
    """Return a small answer that its first message completes; None for any other.

    The server checks others: it refuses to send a malformed field, or a body of another length.
    """
    body, headers = first.get("body", b""), start["headers"]
    if start["status"] not in _WHOLE or first.get("more_body") or len(body) > SMALL:
        return None
    lines = lines_of(headers)
    if not lines.count(b"\r") == lines.count(b"\n") == len(headers):
        return None
    if (_LENGTH, b"%d" % len(body)) not in headers:
        return None
    return WholeAnswer(start["status"], lines, body)


def lines_of(fields: Iterable[Field]) -> bytes:
    """Return header fields as the lines of an HTTP message."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])

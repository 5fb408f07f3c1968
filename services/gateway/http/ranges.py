"""Byte ranges: a part of an image for those who have the rest (RFC 9110, section 14)."""

import re
from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException

_ONE_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE)


def asked_range(request: Request, tag: str, size: int) -> slice | None:
    """The part of `size` bytes that a GET asks for; None when the whole is the answer.

    It is for several ranges, for what is no range, and when If-Range names another version.
    Raises HTTPException (416) when there is nothing at that place.
    """
    asked = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last, final = asked.groups()
    if final is not None:
        start, stop = max(0, size - int(final)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size:
        raise HTTPException(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"There are {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return slice(start, stop)

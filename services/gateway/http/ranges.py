"""The `Range` and `If-Range` request headers: one byte range of an image (RFC 9110, section 14)."""

import re
from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException

_ONE_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE)


def requested_range(request: Request, tag: str, size: int) -> slice | None:
    """Return the bytes that a GET asks for, out of `size`; None when it gets all of them.

    A GET gets all bytes when it asks for several ranges, when the range is malformed, and when
    If-Range names another entity tag than `tag`. Raises HTTPException (416) for a range that
    begins after the end.
    """
    match = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(0, size - int(suffix)), size
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

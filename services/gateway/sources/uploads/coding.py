"""Content codings, which request bodies may not have."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException


def refuse_coding(headers: Headers) -> None:
    """Raise HTTPException (415) for a body, or a part of a form, with a content coding."""
    codings = ",".join(headers.getlist("content-encoding")).lower().split(",")
    if {coding.strip() for coding in codings} - {"", "identity"}:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body has a Content-Encoding; send it without.",
            headers={"Accept-Encoding": "identity"},
        )

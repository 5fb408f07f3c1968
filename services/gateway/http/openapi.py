"""OpenAPI for what FastAPI can't derive: images, headers, problems, and JSON that routes parse."""

import re
from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from fastapi.routing import APIRoute

from contracts.errors import ERRORS, Code
from contracts.message import Message
from services.gateway.http.problems import STATUS

Documentation = dict[str, Any]
Responses = dict[int | str, Documentation]

CHANGE_CODES = (Code.ORIGIN_NOT_ALLOWED,)
"""Failures of a request that may change something: any but GET."""

UPLOAD_CODES = (*CHANGE_CODES, Code.TOO_LARGE, Code.OVERLOADED, Code.UNSUPPORTED_MEDIA_TYPE)
"""Failures of a request with a body."""

_WORK_CODES = (
    Code.IMAGE_UNREADABLE, Code.IMAGE_TOO_BIG, Code.UNSUPPORTED_FORMAT, Code.GONE,
    Code.DEADLINE_EXCEEDED, Code.WORKER_CRASHED, Code.OUT_OF_MEMORY,
)  # fmt: skip
_CALL_CODES = (Code.NO_WORKERS, Code.OVERLOADED)

INSPECT_CODES = (*_WORK_CODES, *_CALL_CODES)
"""Failures of a call that inspects an image."""

VARIANT_CODES = (*_WORK_CODES, Code.INVALID_OPERATION, Code.NOT_FOUND)
"""Failures of a variant of a job."""

RENDER_CODES = (*VARIANT_CODES, *_CALL_CODES, Code.QUOTA_EXCEEDED)
"""Failures of a call that renders an image."""

FETCH_CODES = (
    Code.SOURCE_REFUSED, Code.SOURCE_UNAVAILABLE, Code.SOURCE_TIMEOUT, Code.NOT_FOUND,
    Code.IMAGE_TOO_BIG, Code.IMAGE_UNREADABLE, Code.OVERLOADED,
)  # fmt: skip
"""Failures of the fetch of an original."""

_EVERYWHERE = (
    Code.UNAUTHORIZED, Code.FORBIDDEN, Code.SIGNATURE_INVALID,
    Code.INVALID_REQUEST, Code.MISDIRECTED_REQUEST, Code.RATE_LIMITED, Code.UNAVAILABLE,
    Code.STORE_FULL, Code.DEADLINE_EXCEEDED, Code.INTERNAL,
)  # fmt: skip

_PAUSED = (429, 503, 507)
_PAUSES = {Code.SOURCE_UNAVAILABLE, Code.SOURCE_TIMEOUT}
"""Statuses, and codes of other statuses, whose answers may have `Retry-After`."""

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE = {"type": "string", "format": "binary", "minLength": 1}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": _FILE},
        "maxProperties": 9,
    }
}
_IMAGE = {"schema": _FILE}
IMAGE_CONTENT = {
    "image/*": _IMAGE,
    "application/octet-stream": _IMAGE,
    "multipart/form-data": _FORM,
}
"""Bodies that hold one image: its bytes, or a form with the file in its field `file`."""

REQUEST_HEADERS = {
    "Accept": "Media types that the client can read. With `format=auto` the result has one of "
    "those that this header prefers (RFC 9110, section 12.5.1).",
    "Cache-Control": "`no-cache`: render anew, even if a result is stored (RFC 9111, section "
    "5.2.1.4). Ignored beyond `DARKROOM_MAX_RERENDERS` of all clients a minute.",
    "Idempotency-Key": "A text of 1 to 255 characters, in quotes or not. Requests with the same "
    "key from the same submitter make one job; the same key with another request is refused with "
    "`key_reused` (IETF draft httpapi-idempotency-key-header).",
    "If-Match": "Entity tags of the content that the client expects. If none of them is current, "
    "the response is 412 (RFC 9110, section 13.1.1).",
    "If-None-Match": "Entity tags that the client has. If one of them is current, the response is "
    "304, without the image (RFC 9110, section 13.1.2).",
    "If-Range": "Entity tag of the part that the client has. With another tag than the current "
    "one, the response is the whole image (RFC 9110, section 13.1.5).",
    "Last-Event-ID": "Id of the last event that the client received. The stream continues after "
    "this event (HTML, Server-sent events).",
    "Prefer": "`respond-async`: render as a job, and answer 202. `wait=5`: seconds to wait for the "
    "end (RFC 7240).",
    "Range": "One range of bytes; a request for several ranges gets the whole image (RFC 9110, "
    "section 14.2).",
    "X-Submitter": "Name of the client on whose behalf the job is done: 1 to 64 letters, digits "
    "and `._:-`. Submitters' jobs take turns. Default: the client's address. For a request with a "
    "key it is a name for people, as the project and the key take turns.",
}

RESPONSE_HEADERS = {
    "Accept": "Media types of the bodies that are read (RFC 9110, section 12.5.1).",
    "Accept-Encoding": "`identity`: bodies are read as they are, without content coding (RFC 9110, "
    "section 12.5.3).",
    "Accept-Ranges": "`bytes`: the image may be fetched in ranges (RFC 9110, section 14.3).",
    "Age": "Seconds since the answer was made, if it comes from the gateway's memory (RFC 9111, "
    "section 5.1).",
    "Cache-Control": "`max-age` with an image and with its description, never beyond the "
    "image's life; `immutable` with a render whose URL has the current `v`; `no-store` with a "
    "problem, with anything that changes at any time, and with an image whose source forbids to "
    "store it (RFC 9111, RFC 5861, RFC 8246).",
    "Cache-Status": "`darkroom; hit` if a stored result is sent, `darkroom; fwd=miss` if the image "
    "was rendered, `darkroom; fwd=request` if it was rendered because of `no-cache`; `collapsed` "
    "comes after `fwd=miss` if it was rendered for an equal request at the same time (RFC 9211).",
    "Content-Range": "The range of bytes, and the size of the image (RFC 9110, section 14.4).",
    "ETag": "Entity tag. That of an image is the key under which it is stored, in quotes (RFC "
    "9110, section 8.8.3).",
    "Expires": "End of `max-age` as a time, with an image that expires (RFC 9111, section 5.3).",
    "Link": "With `rel=next`, the address of the next page of a list (RFC 8288).",
    "Location": "Address of a job, an image or the results (RFC 9110, section 10.2.2).",
    "Preference-Applied": "The preferences of `Prefer` that were followed (RFC 7240).",
    "Retry-After": "Seconds after which to ask again (RFC 9110, section 10.2.3).",
    "Server-Timing": "Milliseconds of each step: `queue`, and for a new render `decode`, "
    "`operations` and `encode` (W3C Server Timing).",
    "WWW-Authenticate": "What is missing: a key, or a scope of the key (RFC 9110, section 11.6.1; "
    "RFC 6750).",
    "X-Worker": "Name of the worker that rendered the image.",
}


DESCRIPTION = """\
Send photographs; receive them resized, rotated, converted: now or later.

Errors are problem documents (`Problem`), whose `code` names the cause. A request that breaks the
rules of HTTP gets one before it reaches a route: 400, 408, 414 or 431; an unknown address 404, and
another method of a known address 405."""
"""Text of the OpenAPI document about all routes."""

TAGS = [
    {"name": "render", "description": "Send an image, and receive the result."},
    {"name": "images", "description": "Images that are stored, to fetch and to render many times."},
    {"name": "jobs", "description": "Renders that take their time, their events, and failures."},
    {"name": "keys", "description": "Keys of clients, and sessions of browsers."},
    {"name": "system", "description": "The state of the suite."},
]
"""Groups of routes, in the order of documents."""


def operation_id(route: APIRoute) -> str:
    """Return the name of a route for generated clients, such as `upload_an_image`."""
    return re.sub(r"\W+", "_", (route.summary or route.name).lower())


def taking(
    *headers: str, query: Sequence[Documentation] = (), body: Documentation | None = None
) -> Documentation:
    """Return what a route takes: the request headers of these names, and a body of this content.

    `query` has the query parameters that the route reads by itself.
    """
    described = [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": REQUEST_HEADERS[name],
        }
        for name in headers
    ]
    parameters = [*query, *described]
    return {
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": body}} if body else {}),
    }


def answer(
    description: str,
    *headers: str,
    location: str = "",
    model: type[Message] | None = None,
    content: Documentation | None = None,
) -> Documentation:
    """Return a response with these headers and `Cache-Control`, which every one has.

    `location` says where its `Location` leads.
    """
    described = {name: RESPONSE_HEADERS[name] for name in (*headers, "Cache-Control")}
    if location:
        described["Location"] = location
    return {
        "description": description,
        **({"model": model} if model else {}),
        **({"content": content} if content else {}),
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in described.items()
        },
    }


def image_answer(description: str, *headers: str) -> Documentation:
    """Return a response whose body is an image."""
    return answer(description, "ETag", *headers, content={"image/*": _BYTES})


def resource_answers(*headers: str) -> Responses:
    """Return the responses with a stored image: all of it, a range, no change, a wrong range."""
    return {
        200: image_answer("The image.", "Accept-Ranges", "Expires", *headers),
        206: image_answer("The range.", "Accept-Ranges", "Content-Range", "Expires", *headers),
        304: answer("The client has the current image.", "ETag", "Expires", *headers),
        412: _FALSE_CONDITION,
        416: _problem(
            [Code.INVALID_REQUEST], "The range begins after the end of the image.", "Content-Range"
        ),
    }


def description_answers(description: str) -> Responses:
    """Return the responses with JSON that has an entity tag: all of it, or no change."""
    return {
        200: answer(description, "ETag"),
        304: answer("The client has the current content.", "ETag"),
        412: _FALSE_CONDITION,
    }


def problems(*codes: Code) -> Responses:
    """Return the responses with a problem document: of these codes, and of those of every route."""
    by_status = defaultdict(list)
    for code in Code:
        if code in (*_EVERYWHERE, *codes):
            by_status[STATUS[code]].append(code)
    if Code.TOO_LARGE in codes:  # the route reads a body
        by_status[HTTPStatus.REQUEST_TIMEOUT].append(Code.DEADLINE_EXCEEDED)
    return {
        status.value: _problem(
            found,
            "\n".join(f"- `{code}`: {_meaning(code)}" for code in found),
            *(["Retry-After"] if status in _PAUSED or _PAUSES & {*found} else []),
            *(["WWW-Authenticate"] if {Code.UNAUTHORIZED, Code.FORBIDDEN} & {*found} else []),
            *(["Accept", "Accept-Encoding"] if Code.UNSUPPORTED_MEDIA_TYPE in found else []),
        )
        for status, found in sorted(by_status.items())
    }


def _meaning(code: Code) -> str:
    """Return the first paragraph of the docstring of a code's exception."""
    return cleandoc(ERRORS[code].__doc__ or "").partition("\n\n")[0]


def _problem(codes: list[Code], description: str, *headers: str) -> Documentation:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema}}
    return {**answer(description, *headers, content=content), "x-codes": [*codes]}


_FALSE_CONDITION = _problem(
    [Code.PRECONDITION_FAILED], f"`precondition_failed`: {_meaning(Code.PRECONDITION_FAILED)}"
)

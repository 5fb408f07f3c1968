"""ASGI application that answers for stored images without FastAPI, which takes most of the time.

It knows well-formed requests alone, and passes all others to FastAPI, whose routes stay for them
and for the documents. `delivered.py` makes the answers of both.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import FastAPI, Request, Response
from pydantic import Field, TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from contracts.errors import InvalidOperation
from contracts.formats import Format
from contracts.jobs import MAX_VARIANTS
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Dependencies
from services.gateway.http.accept import formats_of
from services.gateway.http.error_handlers import with_handlers_of
from services.gateway.routes.direct.delivered import (
    Wanted,
    send_fetched,
    send_image,
    send_rendition,
    send_result,
)
from services.gateway.routes.parameters import (
    OUTPUT_NAMES,
    parse_query,
    preference_of,
    seconds_to_wait,
    vary,
    wants_new,
)
from services.gateway.sources.addresses import LONGEST

_IMAGE = re.compile(r"/v1/images/([0-9a-f]{64})(/render)?")
_RESULT = re.compile(r"/v1/jobs/([0-9a-f]{32})/results/(0|[1-9][0-9]{0,3})")
_FETCH = "/v1/fetch"
_SRC = b"src="
_NAMES = OUTPUT_NAMES | {"op", "timeout", "v"}
_MAX_QUERY = 2048  # bytes; those of pages have 200
_REMEMBERED = 512  # queries
_SECONDS = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)])
_ANSWER = "darkroom.answer"

_Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Query:
    """A query of a render, parsed."""

    pipeline: Pipeline
    canonical: str
    """The pipeline as JSON."""
    vary: dict[str, str]
    version: str | None
    timeout: float | None


class PlainDelivery:
    """Answers GET requests for images, renders and results; passes the rest to `http`."""

    def __init__(self, http: FastAPI, deps: Dependencies, routes: Iterable[BaseRoute]) -> None:
        """`routes` are FastAPI's, among them the four that this application replaces."""
        self._http = http
        self._deps = deps
        # A trace names a request by the path of its route.
        paths = {
            route.path: route
            for route in routes
            if isinstance(route, Route) and "GET" in (route.methods or ())
        }
        self._image = paths["/v1/images/{image_id}"]
        self._render = paths["/v1/images/{image_id}/render"]
        self._fetch = paths[_FETCH]
        self._result = paths["/v1/jobs/{job_id}/results/{index}"]
        self._answered = with_handlers_of(http, _send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it to FastAPI."""
        answer = self._answer_to(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._http(scope, receive, send)
        else:
            scope[_ANSWER] = answer
            await self._answered(scope, receive, send)

    def _answer_to(self, scope: Scope) -> _Answer | None:
        """Return the function that answers a request; None for one that FastAPI has to answer."""
        if scope["method"] != "GET":
            return None
        path: str = scope["path"]
        query: bytes = scope["query_string"]
        if match := _IMAGE.fullmatch(path):
            if match[2]:
                return self._rendition(match[1], query, scope)
            if not query:
                scope["route"] = self._image
                return partial(send_image, match[1], deps=self._deps)
            return None
        if path == _FETCH:
            return self._fetched(query, scope)
        match = None if query else _RESULT.fullmatch(path)
        if match is None or (index := int(match[2])) >= MAX_VARIANTS:
            return None
        scope["route"] = self._result
        return partial(send_result, match[1], index, deps=self._deps)

    def _rendition(self, image_id: str, query: bytes, scope: Scope) -> _Answer | None:
        scope["route"] = self._render
        return self._rendered(query, partial(send_rendition, image_id))

    def _fetched(self, query: bytes, scope: Scope) -> _Answer | None:
        scope["route"] = self._fetch
        # Pages have one pipeline for many images: it is parsed once, without the image.
        parts = query.split(b"&")
        sources = [part for part in parts if part.startswith(_SRC)]
        if len(sources) != 1 or len(sources[0]) > LONGEST:
            return None
        src = unquote_plus(sources[0].removeprefix(_SRC).decode("latin-1"))
        rest = b"&".join(part for part in parts if not part.startswith(_SRC))
        return self._rendered(rest, partial(send_fetched, src))

    def _rendered(self, query: bytes, send: Callable[..., Awaitable[Response]]) -> _Answer | None:
        """Return the answer that `send` makes with the pipeline of a query."""
        parsed = _parse(query) if len(query) <= _MAX_QUERY else None
        if parsed is None:
            return None

        async def answer(request: Request) -> Response:
            settings = self._deps.settings
            preference = preference_of(request.headers, settings)
            pipeline, canonical = parsed.pipeline, parsed.canonical
            if pipeline.output.format == AUTO:
                lines = tuple(value for name, value in request.headers.raw if name == b"accept")
                among = formats_of(lines)[pipeline.output.lossless]
                pipeline, canonical = _limited(query, among)
            return await send(
                Wanted(pipeline, canonical, parsed.vary, parsed.version),
                request,
                deps=self._deps,
                timeout=seconds_to_wait(
                    parsed.timeout, preference, caller_of(request.scope), settings
                ),
                no_cache=wants_new(request, self._deps.rerenders),
            )

        return answer


async def _send(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    answer: _Answer = scope[_ANSWER]
    response = await answer(request)
    await response(scope, receive, send)


@lru_cache(_REMEMBERED)
def _parse(query: bytes) -> _Query | None:
    """Parse the query of a render, which pages have for many images; None for a malformed one."""
    fields = QueryParams(query)
    if not _NAMES.issuperset(fields):
        return None
    seconds = fields.get("timeout")
    try:
        pipeline = parse_query(fields.getlist("op"), fields)
        timeout = None if seconds is None else _SECONDS.validate_python(seconds)
    except (InvalidOperation, ValidationError):
        return None
    canonical = pipeline.model_dump_json()
    return _Query(pipeline, canonical, vary(fields), fields.get("v"), timeout)


@lru_cache(_REMEMBERED)
def _limited(query: bytes, among: tuple[Format, ...]) -> tuple[Pipeline, str]:
    """Return the pipeline of a well-formed query, limited to some formats, and its JSON."""
    parsed = _parse(query)
    assert parsed is not None
    output = parsed.pipeline.output.model_copy(update={"among": among})
    pipeline = parsed.pipeline.model_copy(update={"output": output})
    return pipeline, pipeline.model_dump_json()

"""`POST /v1/jobs` with JSON and without a query: the same answers, past FastAPI.

FastAPI's application and its parameters take a fifth of the CPU time that a job takes of the
gateway. Every other request for a job, and the documents, have FastAPI's route; all call
`jobs.submit_json`.
"""

from collections.abc import Awaitable, Callable, Iterable

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.dependencies import Dependencies
from services.gateway.http.error_handlers import with_handlers_of
from services.gateway.http.prefer import parse_prefer
from services.gateway.middleware.caching import CachingMiddleware
from services.gateway.middleware.fields import Field
from services.gateway.routes import jobs

_PATH = "/v1/jobs"
_SMALL = 64 << 10  # bytes of a body: as many as uvicorn reads ahead
_OTHER_BODIES = frozenset({b"transfer-encoding", b"content-encoding", b"expect"})


class PlainSubmission:
    """Answers a POST for a job whose content type says JSON; passes the rest to `app`."""

    def __init__(self, app: ASGIApp, http: FastAPI, deps: Dependencies) -> None:
        """`http` has the exception handlers, and the route that this one replaces."""
        self._app = app
        self._deps = deps
        # A trace names a request by the path of its route.
        self._route = next(
            route
            for route in jobs.router.routes
            if isinstance(route, Route) and route.path == _PATH and "POST" in (route.methods or ())
        )
        self._answered = with_handlers_of(http, self._submit)
        self.with_bodies = SubmissionsWithBodies(http, self._respond)
        """Answers those of these requests whose whole body has arrived."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if _is_plain(scope):
            scope["route"] = self._route
            await self._answered(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _submit(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await self._deps.uploads.read_json(request)
        response = await self._respond(request, body)
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: bytes) -> Response:
        lines = request.headers.getlist("prefer")
        preference = parse_prefer(lines, max_wait=self._deps.settings.max_timeout)
        return await jobs.submit_json(request, self._deps, preference, body)


class SubmissionsWithBodies:
    """Answers a request as `PlainSubmission` does, once its whole body is there.

    No read of the body waits, so it needs no limits of time, and none of the memory that slow
    clients take.
    """

    def __init__(
        self, http: FastAPI, respond: Callable[[Request, bytes], Awaitable[Response]]
    ) -> None:
        """`http` has the exception handlers."""
        self._respond = respond
        self._answered = CachingMiddleware(with_handlers_of(http, self._answer))

    def takes(self, scope: Scope) -> bool:
        """Return whether a request is one of these, with a body of up to 64 KiB."""
        return _is_plain(scope) and _is_small(scope["headers"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose whole body is there."""
        await self._answered(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        response = await self._respond(Request(scope, receive), message["body"])
        await response(scope, receive, send)


def _is_small(fields: Iterable[Field]) -> bool:
    """Return whether a header announces a body of up to 64 KiB, as it is."""
    size = b""
    for name, value in fields:
        if name == b"content-length":
            size = value
        elif name in _OTHER_BODIES:
            return False
    return size.isdigit() and int(size) <= _SMALL


def _is_plain(scope: Scope) -> bool:
    """Return whether a request is a POST for a job in JSON, without a query.

    The first content type counts, as `media_type_of` reads it.
    """
    if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST":
        return False
    if scope["query_string"]:
        return False
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type: str = value.decode("latin-1").partition(";")[0].strip().lower()
            return media_type == jobs.JSON
    return False

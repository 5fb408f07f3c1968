"""`POST /v1/jobs` with JSON and without a query: the same answers, past FastAPI.

FastAPI's application and its parameters take a fifth of the CPU time that a job takes of the
gateway. Every other request for a job, and the documents, have FastAPI's route; both call
`jobs.submit_json`.
"""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.dependencies import Dependencies
from services.gateway.http.error_handlers import with_handlers_of
from services.gateway.http.prefer import parse_prefer
from services.gateway.routes import jobs

_PATH = "/v1/jobs"


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if _is_plain(scope):
            scope["route"] = self._route
            await self._answered(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _submit(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        lines = request.headers.getlist("prefer")
        preference = parse_prefer(lines, max_wait=self._deps.settings.max_timeout)
        response = await jobs.submit_json(request, self._deps, preference)
        await response(scope, receive, send)


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

"""`POST /v1/jobs` with JSON and without a query: the same answers, past FastAPI's parameters.

FastAPI looks for the route twice, and solves eight parameters of which JSON needs one: together a
fifth of the CPU time that a job takes of the gateway. Every other request for a job, and the
documents, have FastAPI's route; both call `jobs.submit_json`.
"""

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from services.gateway.dependencies import Dependencies
from services.gateway.http.prefer import parse_prefer
from services.gateway.routes.jobs import JSON, submit_json

_PATH = "/v1/jobs"


class PlainSubmission(Route):
    """The route, which goes before FastAPI's: what it does not match is theirs."""

    def __init__(self, deps: Dependencies) -> None:
        super().__init__(_PATH, _Submission(deps), include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a POST whose content type says JSON, and which has no query."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return Match.NONE, {}
        match, child_scope = super().matches(scope)
        if match is not Match.FULL or not _is_json(scope):
            return Match.NONE, {}
        return match, {**child_scope, "route": self}


class _Submission:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises as `submit_json`: the application's handlers are around it."""
        request = Request(scope, receive, send)
        lines = request.headers.getlist("prefer")
        preference = parse_prefer(lines, max_wait=self._deps.settings.max_timeout)
        response = await submit_json(request, self._deps, preference)
        await response(scope, receive, send)


def _is_json(scope: Scope) -> bool:
    """Return whether the first content type is JSON, as `media_type_of` reads it."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type: str = value.decode("latin-1").partition(";")[0].strip().lower()
            return media_type == JSON
    return False

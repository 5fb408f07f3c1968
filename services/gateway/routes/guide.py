"""The guide under `/guide`: the pages that `make docs` builds into this package."""

import os
from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse
from starlette.datastructures import URL
from starlette.responses import Response
from starlette.types import Scope

from contracts.errors import NotFound
from services.gateway.http.static_files import WholeFiles

router = APIRouter(include_in_schema=False)

_GUIDE = files("services.gateway") / "guide"
# The theme has scripts and styles in its pages, and none of them comes from another host.
_CONTENT_SECURITY_POLICY = (
    "default-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class _GuideFiles(WholeFiles):
    """Static files that may load nothing from elsewhere."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):
            # Starlette redirects to the Host that the client named, without the prefix of a proxy.
            location = URL(response.headers["Location"])
            folder = location.path.rstrip("/").rpartition("/")[2]
            query = f"?{location.query}" if location.query else ""
            response.headers["Location"] = f"./{folder}/{query}"
        return response

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


@router.get("/guide")
async def guide() -> RedirectResponse:
    """Redirect to the first page; a relative address keeps the prefix of a proxy."""
    return RedirectResponse("guide/")


def mount_guide(app: FastAPI) -> None:
    """Serve the guide under `/guide/`, or a 404 that says how to build it."""
    if _GUIDE.is_dir():
        app.mount("/guide", _GuideFiles(directory=str(_GUIDE), html=True), name="guide")
    else:
        app.add_api_route("/guide/{page:path}", _not_built, include_in_schema=False)


async def _not_built(page: str) -> None:
    """Raise NotFound: this installation was made without the guide."""
    raise NotFound("The guide is not part of this installation. Build it with: make docs")

"""HTTP page of the AsyncAPI document, which works without the internet, below any prefix."""

import asyncio
from functools import cache
from importlib.resources import files

from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import ASGIApp, Scope

from services.runtime.introspection.asyncapi import suite_yaml

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Darkroom: AsyncAPI</title>
  <link rel="icon" href="data:,">
  <script type="module" src="asyncapi/viewer.js"></script>
  <link rel="stylesheet" href="asyncapi/page.css">
</head>
<body>
  <asyncapi-viewer src="asyncapi.yaml" sidebar></asyncapi-viewer>
  <noscript>The document itself: <a href="asyncapi.yaml">asyncapi.yaml</a></noscript>
</body>
</html>
"""
_STYLE = "body { margin: 0; font-family: system-ui, sans-serif; }"


def documentation_routes() -> list[tuple[str, ASGIApp]]:
    """Return the routes of the page, its style, the viewer's script and the document, by path."""
    viewer = (files("asyncapi_viewer") / "static" / "asyncapi-viewer.js").read_bytes()
    return [
        ("/asyncapi", _serve(_PAGE.encode(), "text/html; charset=utf-8")),
        ("/asyncapi/page.css", _serve(_STYLE.encode(), "text/css; charset=utf-8")),
        ("/asyncapi/viewer.js", _serve(viewer, "text/javascript; charset=utf-8")),
        ("/asyncapi.yaml", _asyncapi_yaml),
    ]


def _serve(body: bytes, media_type: str) -> ASGIApp:
    response = _response(body, media_type)

    @get(include_in_schema=False)
    async def route(scope: Scope) -> AsgiResponse:
        return response

    return route


def _response(body: bytes, media_type: str) -> AsgiResponse:
    return AsgiResponse(body, 200, {"Content-Type": media_type, "Cache-Control": "max-age=300"})


@get(include_in_schema=False)
async def _asyncapi_yaml(scope: Scope) -> AsgiResponse:
    return await asyncio.to_thread(_document)


@cache
def _document() -> AsgiResponse:
    """Make the answer once, at the first request: a start of a service need not take 0.2 s more."""
    return _response(suite_yaml().encode(), "application/yaml")

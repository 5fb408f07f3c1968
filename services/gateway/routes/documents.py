"""The OpenAPI document, and the page that shows it and sends requests."""

import asyncio
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json

from services.gateway.http.responses import tagged_response
from services.gateway.http.static_files import WholeFiles
from services.gateway.middleware.prefix import prefix_of

router = APIRouter(include_in_schema=False)

_FILES = "static-offline-docs"


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Return the OpenAPI document, whose server is the address of the gateway below its prefix."""
    # The first request makes the document, which takes 0.3 s.
    document = await asyncio.to_thread(_document, request.app, prefix_of(request.scope))
    return tagged_response(request, document, "application/json", {})


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the page. Its addresses are relative, and so keep the prefix of a proxy."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{_FILES}/favicon.png",
    )


def mount_page_files(app: FastAPI) -> None:
    """Serve the page's script and style, which come from no other host."""
    folder = files("fastapi_offline") / "static"
    app.mount(f"/{_FILES}", WholeFiles(directory=str(folder)), name=_FILES)


@lru_cache(8)
def _document(app: FastAPI, prefix: str) -> bytes:
    document = app.openapi()
    if prefix:
        [server] = document["servers"]
        document = {**document, "servers": [{**server, "url": prefix}]}
    return to_json(document)

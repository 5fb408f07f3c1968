"""Images of sources: web servers, buckets and folders, rendered as if they had been uploaded."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.gateway.dependencies import Injected
from services.gateway.http.openapi import (
    FETCH_CODES,
    RENDER_CODES,
    problems,
    resource_answers,
    taking,
)
from services.gateway.routes.direct.delivered import Wanted, send_fetched
from services.gateway.routes.parameters import (
    OUTPUT_PARAMETERS,
    NoCache,
    QueryPipeline,
    Timeout,
    VaryHeader,
    Version,
)
from services.gateway.sources.addresses import LONGEST

router = APIRouter(tags=["images"])


@router.get(
    "/v1/fetch",
    summary="Render an image of a source",
    response_class=Response,
    openapi_extra=taking(
        *("Accept", "Cache-Control", "If-Match", "If-None-Match", "Range", "If-Range", "Prefer"),
        query=OUTPUT_PARAMETERS,
    ),
    responses={
        **resource_answers("Age", "Cache-Status", "Server-Timing", "X-Worker"),
        **problems(*RENDER_CODES, *FETCH_CODES),
    },
)
async def fetch(
    request: Request,
    deps: Injected,
    src: Annotated[
        str,
        Query(
            max_length=LONGEST,
            description="The image: a URL that a source of `DARKROOM_SOURCES` allows, or a source "
            "and a path in its folder or bucket: `site:kitchen.jpg`.",
            examples=["site:kitchen.jpg"],
        ),
    ],
    pipeline: QueryPipeline,
    timeout: Timeout,
    no_cache: NoCache,
    vary: VaryHeader,
    version: Version = None,
) -> Response:
    """Return an image of a source after a pipeline.

    The original is fetched when it is asked for first, and remembered for as long as its source
    says. After that, the source is asked whether it has changed: results of an unchanged one are
    still there. `timeout` is the time for the render alone; each source has a limit for the fetch.
    """
    wanted = Wanted(pipeline, pipeline.model_dump_json(), vary, version)
    return await send_fetched(src, wanted, request, deps=deps, timeout=timeout, no_cache=no_cache)

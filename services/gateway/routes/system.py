"""The web page, and the state of the suite: workers, queues, jobs."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field

from contracts.imaging import RENDER, RENDER_VERSION
from contracts.methods import Transport
from services.gateway.access.caller import caller_of
from services.gateway.access.keys.keyring import OPERATOR
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import answer, problems
from services.gateway.http.responses import tagged_response
from services.gateway.http.static_files import WholeFiles
from services.runtime.introspection.queues import Queue
from services.runtime.introspection.storage_state import StoreReport
from services.runtime.jobs.backlog import Backlog
from services.runtime.liveness.heartbeat import Report

router = APIRouter()

_WEB = files("services.gateway") / "web"
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """Return the web page."""
    html = (_WEB / "index.html").read_bytes()
    policy = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY}
    return tagged_response(request, html, "text/html", policy)


class RedisMemory(BaseModel):
    """Memory of Redis, as the gateway has seen it in the last two seconds."""

    bytes: Annotated[int, Field(description="Bytes of memory that Redis uses.")]
    limit: Annotated[
        int | None, Field(description="Redis's `maxmemory` in bytes; null without a limit.")
    ]
    used: Annotated[float, Field(description="The used part of the limit; 0 without a limit.")]


class System(BaseModel):
    """The current state of the suite."""

    workers: Annotated[
        dict[str, Report],
        Field(description="Last report of each running worker, by the worker's name."),
    ]
    queues: Annotated[
        dict[str, Queue], Field(description="The requests and jobs that wait, by address.")
    ]
    jobs: Annotated[Backlog, Field(description="The open jobs, and the rate at which jobs end.")]
    redis_memory: Annotated[RedisMemory, Field(description="The memory of Redis.")]
    store: Annotated[StoreReport, Field(description="The store of images.")]
    render_version: Annotated[
        int,
        Field(
            description="Version of the engine, for `v` in the URL of a render. It is raised when "
            "the same pipeline begins to give different bytes."
        ),
    ]


@router.get(
    "/v1/system",
    summary="Show the state of the suite",
    tags=["system"],
    responses={200: answer("The current state."), **problems()},
)
async def system(request: Request, deps: Injected) -> System:
    """Return the running workers with their last reports, queues, open jobs, Redis and store.

    A key sees the `places` of its own project, and the operator's key those of all projects.
    """
    address, state = RENDER.address(Transport.STREAM), deps.store.state
    caller = caller_of(request.scope)
    project = None if caller.key in ("", OPERATOR) else caller.project
    return System(
        workers=await deps.workers.reports(address),
        queues=await deps.queues.look(),
        jobs=await deps.jobs.backlog(),
        redis_memory=RedisMemory(
            bytes=state.used_memory, limit=state.maxmemory or None, used=state.memory
        ),
        store=await deps.storage.report(project),
        render_version=RENDER_VERSION,
    )


def mount_page_files(app: FastAPI) -> None:
    """Serve the page's scripts, styles and pictures under `/web`."""
    app.mount("/web", WholeFiles(directory=str(_WEB)), name="web")

"""The web page, and the state of the suite: workers, queues, jobs."""

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from contracts.imaging import RENDER
from contracts.methods import Transport
from services.gateway.dependencies import Injected
from services.gateway.http.openapi import PROBLEMS
from services.runtime.introspection.queues import Queue
from services.runtime.jobs.backlog import Backlog
from services.runtime.liveness.heartbeat import Report

router = APIRouter()

_WEB = files("services.gateway") / "web"
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """Return the web page."""
    html = (_WEB / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY})


class System(BaseModel):
    """The current state of the suite."""

    workers: dict[str, Report]
    queues: dict[str, Queue]
    jobs: Backlog


@router.get("/v1/system", tags=["system"], responses=PROBLEMS)
async def system(deps: Injected) -> System:
    """Return the running workers with their last reports, the queues, and the backlog of jobs."""
    address = RENDER.address(Transport.STREAM)
    return System(
        workers=await deps.workers.reports(address),
        queues=await deps.queues.look(),
        jobs=await deps.jobs.backlog(),
    )


def mount_page_files(app: FastAPI) -> None:
    """Serve the page's scripts, styles and pictures under `/web`."""
    app.mount("/web", StaticFiles(directory=str(_WEB)), name="web")

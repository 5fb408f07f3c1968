"""The page, and what the suite says of itself."""

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from contracts.imaging import RENDER
from contracts.methods import Transport
from services.gateway.dependencies import Here
from services.gateway.http.openapi import PROBLEMS
from services.runtime.introspection.queues import Queue
from services.runtime.jobs.backlog import Backlog
from services.runtime.liveness.heartbeat import Report

router = APIRouter()

_WEB = files("services.gateway") / "web"
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """The page for people."""
    html = (_WEB / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY})


class System(BaseModel):
    """The suite as it is now."""

    workers: dict[str, Report]
    queues: dict[str, Queue]
    jobs: Backlog


@router.get("/v1/system", tags=["around"], responses=PROBLEMS)
async def system(here: Here) -> System:
    """The workers that are alive, what they last said of themselves, and what waits for them."""
    address = RENDER.address(Transport.STREAM)
    return System(
        workers=await here.workers.reports(address),
        queues=await here.queues.look(),
        jobs=await here.jobs.outlook(),
    )


def mount_page_files(app: FastAPI) -> None:
    """Serve what the page is made of."""
    app.mount("/web", StaticFiles(directory=str(_WEB)), name="web")

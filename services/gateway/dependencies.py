"""What a route may ask for; the composition root put it on the application's state."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.requests import HTTPConnection

from contracts.errors import InvalidRequest
from contracts.notation import parse_pipeline
from contracts.operations import Pipeline
from contracts.outputs import Format
from services.gateway.live import Live
from services.gateway.prefer import Preference, parse_prefer
from services.gateway.rpc import Imaging
from services.gateway.settings import GatewaySettings
from services.gateway.uploads import Uploads
from services.gateway.webhooks import Webhooks
from services.runtime.blobs import Blobs
from services.runtime.jobs import Jobs
from services.runtime.presence import Workers
from services.runtime.queues import Queues


@dataclass(frozen=True)
class Collaborators:
    """Everything that routes work with."""

    settings: GatewaySettings
    imaging: Imaging
    images: Blobs
    renditions: Blobs
    jobs: Jobs
    live: Live
    webhooks: Webhooks
    workers: Workers
    queues: Queues
    uploads: Uploads


def _collaborators(connection: HTTPConnection) -> Collaborators:
    found = connection.app.state.collaborators
    assert isinstance(found, Collaborators)
    return found


Here = Annotated[Collaborators, Depends(_collaborators)]


def _pipeline(
    op: Annotated[
        list[str],
        Query(
            description="An operation, `name` or `name:field=value,...`; repeat it, in order.",
            examples=["resize:width=720,height=588,fit=cover", "grayscale"],
        ),
    ] = [],  # noqa: B006  FastAPI copies it
    format: Annotated[
        str | None, Query(description=f"One of {', '.join(Format)}; left out: as it came.")
    ] = None,
    quality: Annotated[str | None, Query(description="1 to 100, for lossy formats.")] = None,
) -> Pipeline:
    return parse_pipeline(op, format, quality)


AskedPipeline = Annotated[Pipeline, Depends(_pipeline)]


def _preference(request: Request, here: Here) -> Preference:
    return parse_prefer(request.headers.getlist("prefer"), most=here.settings.max_timeout)


Preferred = Annotated[Preference, Depends(_preference)]


def _timeout(
    request: Request,
    here: Here,
    preference: Preferred,
    timeout: Annotated[
        float | None, Query(gt=0, allow_inf_nan=False, description="Seconds to wait at most.")
    ] = None,
) -> float:
    settings = here.settings
    return min(timeout or preference.wait or settings.default_timeout, settings.max_timeout)


AskedTimeout = Annotated[float, Depends(_timeout)]


def _afresh(request: Request) -> bool:
    directives = ",".join(request.headers.getlist("cache-control")).lower().split(",")
    return "no-cache" in {directive.strip() for directive in directives}


Afresh = Annotated[bool, Depends(_afresh)]
"""Whether the client asks for a result made anew (RFC 9111, no-cache)."""

_MAX_QUERY = 8192


def refuse_long_queries(connection: HTTPConnection) -> None:
    """A query beyond any sensible pipeline is refused before it is parsed."""
    is_http = connection.scope["type"] == "http"  # a WebSocket has no use for a query
    if is_http and len(connection.scope["query_string"]) > _MAX_QUERY:
        raise InvalidRequest(f"The query may have {_MAX_QUERY} bytes at most.")

"""What a route may ask for; the composition root put it on the application's state."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import Field, create_model
from starlette.requests import HTTPConnection

from contracts.errors import InvalidRequest
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO, Output
from services.gateway.http.accept import negotiated
from services.gateway.http.prefer import Preference, parse_prefer
from services.gateway.live.hub import LiveHub
from services.gateway.rpc import Imaging
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.gateway.sources.upload import Uploads
from services.gateway.webhooks.dispatcher import Webhooks
from services.runtime.introspection.queues import Queues
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Workers
from services.runtime.storage.blobs import Blobs


@dataclass(frozen=True)
class Collaborators:
    """Everything that routes work with."""

    settings: GatewaySettings
    imaging: Imaging
    images: Blobs
    renditions: Blobs
    jobs: Jobs
    live: LiveHub
    webhooks: Webhooks
    closing: Shutdown
    workers: Workers
    queues: Queues
    uploads: Uploads


async def _collaborators(connection: HTTPConnection) -> Collaborators:
    found = connection.app.state.collaborators
    assert isinstance(found, Collaborators)
    return found


Here = Annotated[Collaborators, Depends(_collaborators)]


# A query writes every field of an output as text, but for what Accept says; the contract says what
# they mean.
_FIELDS: dict[str, Any] = {
    name: (str | None, Field(None, description=field.description))
    for name, field in Output.model_fields.items()
    if name != "among"
}
_OutputQuery = create_model("_OutputQuery", **_FIELDS)


async def _output(query: Annotated[_OutputQuery, Query()]) -> dict[str, str]:
    """The fields of the output that the query has."""
    return query.model_dump(exclude_none=True)


_WrittenOutput = Annotated[dict[str, str], Depends(_output)]


async def _pipeline(
    request: Request,
    output: _WrittenOutput,
    op: Annotated[
        list[str],
        Query(
            description="An operation, `name` or `name:field=value,...`; repeat it, in order.",
            examples=["resize:width=720,height=588,fit=cover", "grayscale"],
        ),
    ] = [],  # noqa: B006  FastAPI copies it
) -> Pipeline:
    pipeline = parse_pipeline(op, **output)
    accepted = negotiated(pipeline.output, request.headers.getlist("accept"))
    return pipeline.model_copy(update={"output": accepted})


AskedPipeline = Annotated[Pipeline, Depends(_pipeline)]


async def _variance(output: _WrittenOutput) -> dict[str, str]:
    return {"Vary": "Accept"} if output.get("format") == AUTO else {}


Variance = Annotated[dict[str, str], Depends(_variance)]
"""The header that says that the answer depends on the request's Accept, where it does."""


async def _preference(request: Request, here: Here) -> Preference:
    return parse_prefer(request.headers.getlist("prefer"), most=here.settings.max_timeout)


Preferred = Annotated[Preference, Depends(_preference)]


async def _timeout(
    request: Request,
    here: Here,
    preference: Preferred,
    timeout: Annotated[
        float | None, Query(gt=0, allow_inf_nan=False, description="Seconds to wait at most.")
    ] = None,
) -> float:
    settings = here.settings
    preferred = preference.wait or settings.default_timeout
    return min(timeout or preferred, settings.max_timeout)


AskedTimeout = Annotated[float, Depends(_timeout)]


async def _afresh(request: Request) -> bool:
    directives = ",".join(request.headers.getlist("cache-control")).lower().split(",")
    return "no-cache" in {directive.strip() for directive in directives}


Afresh = Annotated[bool, Depends(_afresh)]
"""Whether the client asks for a result made anew (RFC 9111, no-cache)."""

_MAX_QUERY = 8192


async def refuse_long_queries(connection: HTTPConnection) -> None:
    """A query beyond any sensible pipeline is refused before it is parsed."""
    is_http = connection.scope["type"] == "http"  # a WebSocket has no use for a query
    if is_http and len(connection.scope["query_string"]) > _MAX_QUERY:
        raise InvalidRequest(f"The query may have {_MAX_QUERY} bytes at most.")

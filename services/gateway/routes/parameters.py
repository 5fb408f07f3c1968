"""Parameters that several routes take: a pipeline, a timeout, preferences, cache directives."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator
from starlette.datastructures import Headers, QueryParams

from contracts.access.keys import KeyScope
from contracts.errors import InvalidOperation, NotFound
from contracts.labels import LABEL_TEXT, Label
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO, Output
from services.gateway.access.caller import Caller, caller_of
from services.gateway.dependencies import Injected
from services.gateway.http.accept import negotiate_format
from services.gateway.http.prefer import Preference, parse_prefer
from services.gateway.settings import GatewaySettings
from services.gateway.token_bucket import TokenBucket

_DIGEST = re.compile(r"[0-9a-f]{64}")


def _check_digest(text: str) -> str:
    """Return the text. Raises NotFound, as for an image that is gone, unless it may be an id."""
    if not _DIGEST.fullmatch(text):
        raise NotFound("There is no image with this id; it may have expired.")
    return text


ImageId = Annotated[
    str,
    Path(description="The image's id, as its upload has returned it."),
    AfterValidator(_check_digest),
]
JobLabel = Annotated[
    Label | None,
    Query(description=f"{LABEL_TEXT} Left out: the name of a form's file, or the image's label."),
]
JobIdPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The job's id.")]


def _schemas_of_output() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each field of an output, without references."""
    output = Output.model_json_schema()

    def inlined(schema: dict[str, Any]) -> dict[str, Any]:
        if "anyOf" in schema:
            return {**schema, "anyOf": [inlined(choice) for choice in schema["anyOf"]]}
        target = output["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
        known = {name: target[name] for name in ("type", "enum") if name in target}
        return {**known, **{name: value for name, value in schema.items() if name != "$ref"}}

    return {name: inlined(schema) for name, schema in output["properties"].items()}


# `among` comes from Accept instead.
_OUTPUT = {name: schema for name, schema in _schemas_of_output().items() if name != "among"}

OUTPUT_PARAMETERS = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": schema["description"],
    }
    for name, schema in _OUTPUT.items()
]
"""Documentation of the output's fields, for the routes with a `QueryPipeline`."""


OUTPUT_NAMES = frozenset(_OUTPUT)
"""Names of the parameters of an output."""


def parse_query(operations: Sequence[str], query: QueryParams) -> Pipeline:
    """Parse the operations and the output of a query. Raises InvalidOperation.

    FastAPI could parse the output with a model, but would take a sixth of the CPU time of a job's
    request.
    """
    return parse_pipeline(operations, **{name: query[name] for name in _OUTPUT if name in query})


def negotiated(pipeline: Pipeline, accept: Sequence[str]) -> Pipeline:
    """Limit `format=auto` of a pipeline to the formats that the lines of `Accept` prefer."""
    output = negotiate_format(pipeline.output, accept)
    return pipeline if output is pipeline.output else pipeline.model_copy(update={"output": output})


async def _pipeline(
    request: Request,
    op: Annotated[
        list[str],
        Query(
            description="An operation: `name`, `name:value` or `name:field=value,field=value`. A "
            "single value is that of the operation's first field; within a value, `\\,` is a "
            "comma. Repeat the parameter for several operations, which are applied in order.",
            examples=[["resize:width=720,height=588,fit=cover", "grayscale"]],
        ),
    ] = [],  # noqa: B006  FastAPI copies it
    preset: Annotated[
        str | None,
        Query(
            description="Name of a preset of `GET /v1/presets`, in place of `op` and the output's "
            "parameters. Each of its variables is a further parameter: `preset=card&w=640`."
        ),
    ] = None,
) -> Pipeline:
    if preset is not None:
        # `PresetMiddleware` has replaced every preset whose name it has read.
        raise InvalidOperation("Write `preset=` as it is, without percent-encoding.")
    pipeline = parse_query(op, request.query_params)
    return negotiated(pipeline, request.headers.getlist("accept"))


QueryPipeline = Annotated[Pipeline, Depends(_pipeline)]
"""The pipeline of the query; `format=auto` is limited to the formats that Accept prefers.

A route with it documents `OUTPUT_PARAMETERS`.
"""


def vary(query: QueryParams) -> dict[str, str]:
    """Return `Vary: Accept` where the answer to a query depends on Accept; empty otherwise."""
    return {"Vary": "Accept"} if query.get("format") == AUTO else {}


async def _vary(request: Request) -> dict[str, str]:
    return vary(request.query_params)


VaryHeader = Annotated[dict[str, str], Depends(_vary)]
"""`Vary: Accept` when the response depends on Accept; empty otherwise."""


Version = Annotated[
    str | None,
    Query(
        alias="v",
        description="Version of the engine that the URL is written for: `render_version` of "
        "`GET /v1/system`. With the current one, caches may keep the answer for a year.",
    ),
]


def preference_of(headers: Headers, settings: GatewaySettings) -> Preference:
    """Parse the `Prefer` of a request."""
    return parse_prefer(headers.getlist("prefer"), max_wait=settings.max_timeout)


async def _preference(request: Request, deps: Injected) -> Preference:
    return preference_of(request.headers, deps.settings)


PreferHeader = Annotated[Preference, Depends(_preference)]


def seconds_to_wait(
    timeout: float | None, preference: Preference, caller: Caller, settings: GatewaySettings
) -> float:
    """Return the seconds of a call, from the `timeout` of a query if it has one.

    A caller without a key can't have less than the default: its project pays for a render that
    does not end in time as well.
    """
    seconds = timeout or preference.wait or settings.default_timeout
    if caller.is_visitor:
        seconds = max(seconds, settings.default_timeout)
    return min(seconds, settings.max_timeout)


async def _timeout(
    request: Request,
    deps: Injected,
    preference: PreferHeader,
    timeout: Annotated[
        float | None,
        Query(
            gt=0,
            allow_inf_nan=False,
            description="Seconds to wait for the result, cut to `DARKROOM_MAX_TIMEOUT`. Left out: "
            "the `wait` of `Prefer`, or `DARKROOM_DEFAULT_TIMEOUT`. Signed URLs and public presets "
            "wait no less than that.",
        ),
    ] = None,
) -> float:
    return seconds_to_wait(timeout, preference, caller_of(request.scope), deps.settings)


Timeout = Annotated[float, Depends(_timeout)]
"""Seconds for the call: the query's `timeout`, Prefer's `wait` or the default, up to the limit."""


def wants_new(request: Request, rerenders: TokenBucket) -> bool:
    """Return whether a request asks for a new result, and may have one.

    A key needs the scope `afresh`. Callers without a key share the rate of `rerenders`.
    """
    directives = ",".join(request.headers.getlist("cache-control")).lower().split(",")
    if "no-cache" not in {directive.strip() for directive in directives}:
        return False
    caller = caller_of(request.scope)
    return KeyScope.AFRESH in caller.scopes and (bool(caller.key) or rerenders.take())


async def _no_cache(request: Request, deps: Injected) -> bool:
    return wants_new(request, deps.rerenders)


NoCache = Annotated[bool, Depends(_no_cache)]
"""True to render again because of `Cache-Control: no-cache` (RFC 9111, section 5.2.1.4).

False also for a key without the scope `afresh`, and when clients without a key have asked so often
that the rate is used up: a stored result is sent.
"""

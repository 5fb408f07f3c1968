"""Parameters that several routes take: a pipeline, a timeout, preferences, cache directives."""

import re
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from contracts.errors import NotFound
from contracts.labels import LABEL_TEXT, Label
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO, Output
from services.gateway.dependencies import Injected
from services.gateway.http.accept import negotiate_format
from services.gateway.http.prefer import Preference, parse_prefer

_DIGEST = re.compile(r"[0-9a-f]{64}")


def _check_digest(text: str) -> str:
    """Return the text. Raises NotFound, as for an image that is gone, unless it is a SHA-256."""
    if not _DIGEST.fullmatch(text):
        raise NotFound("There is no image with this id; it may have expired.")
    return text


ImageId = Annotated[
    str,
    Path(description="The image's id: the SHA-256 of its bytes."),
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


def _output(request: Request) -> dict[str, str]:
    """Return the output's fields as text, which the contract parses.

    FastAPI could do this with a model, but would take a sixth of the CPU time of a job's request.
    """
    query = request.query_params
    return {name: query[name] for name in _OUTPUT if name in query}


async def _pipeline(
    request: Request,
    op: Annotated[
        list[str],
        Query(
            description="An operation: `name`, `name:value` or `name:field=value,field=value`. "
            "Repeat the parameter for several operations, which are applied in order.",
            examples=[["resize:width=720,height=588,fit=cover", "grayscale"]],
        ),
    ] = [],  # noqa: B006  FastAPI copies it
) -> Pipeline:
    pipeline = parse_pipeline(op, **_output(request))
    negotiated = negotiate_format(pipeline.output, request.headers.getlist("accept"))
    return pipeline.model_copy(update={"output": negotiated})


QueryPipeline = Annotated[Pipeline, Depends(_pipeline)]
"""The pipeline of the query; `format=auto` is limited to the formats that Accept prefers.

A route with it documents `OUTPUT_PARAMETERS`.
"""


async def _vary(request: Request) -> dict[str, str]:
    return {"Vary": "Accept"} if request.query_params.get("format") == AUTO else {}


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


async def _preference(request: Request, deps: Injected) -> Preference:
    lines = request.headers.getlist("prefer")
    return parse_prefer(lines, max_wait=deps.settings.max_timeout)


PreferHeader = Annotated[Preference, Depends(_preference)]


async def _timeout(
    deps: Injected,
    preference: PreferHeader,
    timeout: Annotated[
        float | None,
        Query(
            gt=0,
            allow_inf_nan=False,
            description="Seconds to wait for the result, cut to `DARKROOM_MAX_TIMEOUT`. Left out: "
            "the `wait` of `Prefer`, or `DARKROOM_DEFAULT_TIMEOUT`.",
        ),
    ] = None,
) -> float:
    default = preference.wait or deps.settings.default_timeout
    return min(timeout or default, deps.settings.max_timeout)


Timeout = Annotated[float, Depends(_timeout)]
"""Seconds for the call: the query's `timeout`, Prefer's `wait` or the default, up to the limit."""


async def _no_cache(request: Request, deps: Injected) -> bool:
    directives = ",".join(request.headers.getlist("cache-control")).lower().split(",")
    asked = "no-cache" in {directive.strip() for directive in directives}
    return asked and deps.rerenders.take()


NoCache = Annotated[bool, Depends(_no_cache)]
"""Whether to render again because of `Cache-Control: no-cache` (RFC 9111, section 5.2.1.4).

False also when clients have asked so often that the rate is used up: a stored result is sent.
"""

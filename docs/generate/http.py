"""Reference of HTTP: an overview, and a page for each resource with its routes and JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from unittest.mock import Mock

from contracts.outputs import Output
from docs.generate.http_texts import COMMON_HEADERS, EXAMPLES, OVERVIEW, PAGES
from docs.generate.markdown import fields_table, table
from docs.generate.schemas import (
    Schemas,
    default_of,
    example_of,
    field_table,
    models_in,
    sent_field_table,
    type_of,
)
from services.gateway.app import create_http
from services.gateway.http.openapi import REQUEST_HEADERS, RESPONSE_HEADERS

OVERVIEW_PATH = "reference/http.md"
FOLDER = "reference/http"

# The gateway fills in `among` from Accept.
_PIPELINE = ("op", *(name for name in Output.model_fields if name != "among"))

_ELSEWHERE = {
    "Code": "../../errors/index.md",
    "Output": "../outputs.md",
    "Pipeline": "../operations.md",
    "Problem": "../http.md#problem-documents",
}
"""Descriptions that are not on a resource's page, as addresses from there."""

_HOMES = ("jobs", "images", "events", "system", "render")
"""Resources in the order in which they claim the models that they refer to."""

Operation = Mapping[str, Any]
Route = tuple[str, str, Operation]
"""A method, a path, and the route's entry in the OpenAPI document."""


def pages() -> dict[str, str]:
    """Return the overview and the page of each resource."""
    document = create_http(Mock()).openapi()
    schemas = document["components"]["schemas"]
    homes = _homes(document)
    found = {OVERVIEW_PATH: _overview(document)}
    for resource in PAGES:
        link = partial(_link, resource, homes)
        parts = [
            f"# {PAGES[resource].title}",
            PAGES[resource].intro,
            *(_section(route, schemas, link) for route in _routes(document, resource)),
            *([PAGES[resource].more] if PAGES[resource].more else []),
            *_webhooks(document, resource, link),
            *_models(resource, homes, schemas, link),
        ]
        found[f"{FOLDER}/{resource}.md"] = "\n\n".join(parts)
    return found


def _routes(document: Mapping[str, Any], resource: str) -> Iterator[Route]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if _resource(path, operation) == resource:
                yield method.upper(), path, operation


def _resource(path: str, operation: Operation) -> str:
    [tag] = operation["tags"]
    return "events" if path.endswith("/events") else str(tag)


def _homes(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the resource on whose page each model is described, in the order of the page."""
    schemas = document["components"]["schemas"]
    homes: dict[str, str] = {}
    for resource in _HOMES:
        todo: list[Any] = [operation for _, _, operation in _routes(document, resource)]
        todo += [schemas[name] for name in PAGES[resource].models]
        homes |= {name: resource for name in PAGES[resource].models}
        if resource == "events":
            todo.append(document["webhooks"])
        while todo:
            for name in models_in(todo.pop(0), schemas):
                if name not in homes and name not in _ELSEWHERE:
                    homes[name] = resource
                    todo.append(schemas[name])
    return homes


def _link(resource: str, homes: Mapping[str, str], name: str) -> str:
    """Return a link to a model from a resource's page; empty for a schema without fields."""
    if name in _ELSEWHERE:
        return f"[{name}]({_ELSEWHERE[name]})"
    if name not in homes:
        return ""
    page = "" if homes[name] == resource else f"{homes[name]}.md"
    return f"[{name}]({page}#{name.lower()})"


def _overview(document: Mapping[str, Any]) -> str:
    schemas = document["components"]["schemas"]
    rows = [
        (f"`{method}`", f"`{path}`", f"[{operation['summary']}]({_address(resource, operation)})")
        for resource in PAGES
        for method, path, operation in _routes(document, resource)
    ]
    socket = "[Receive the events of jobs](http/events.md#the-websocket)"
    rows.append(("WebSocket", "`/v1/live`", socket))
    render = document["paths"]["/v1/render"]["post"]
    pipeline = [one for one in render["parameters"] if one["name"] in _PIPELINE]
    return OVERVIEW.format(
        version=document["info"]["version"],
        routes=table(("method", "path", "purpose"), rows),
        common_headers=fields_table(("header", "in", "meaning"), COMMON_HEADERS),
        request_headers=fields_table(("header", "meaning"), _header_rows(REQUEST_HEADERS)),
        response_headers=fields_table(("header", "meaning"), _header_rows(RESPONSE_HEADERS)),
        pipeline=_parameter_table(pipeline, schemas),
        problem=sent_field_table(schemas["Problem"], schemas, _link_to_errors),
        pages="\n".join(f"http/{resource}" for resource in PAGES),
    )


def _address(resource: str, operation: Operation) -> str:
    return f"http/{resource}.md#{operation['summary'].lower().replace(' ', '-')}"


def _header_rows(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", text) for name, text in headers.items()]


def _section(route: Route, schemas: Schemas, link: Callable[[str], str]) -> str:
    method, path, operation = route
    parts = [
        f"## {operation['summary']}",
        f"```text\n{method} {path}\n```",
        operation["description"],
        *_example(method, path),
        *_parameters(operation, schemas),
        *_body(operation, link),
        "**Responses**",
        _answers(operation, link),
        "**Errors**",
        _errors(operation),
    ]
    return "\n\n".join(parts)


def _example(method: str, path: str) -> Iterator[str]:
    if text := EXAMPLES.get((method, path)):
        yield f"```sh\n{text}\n```"


def _parameters(operation: Operation, schemas: Schemas) -> Iterator[str]:
    parameters = operation.get("parameters", ())
    for place, title in (("path", "Path"), ("query", "Query"), ("header", "Headers")):
        found = [one for one in parameters if one["in"] == place]
        own = [one for one in found if one["name"] not in _PIPELINE]
        if found:
            yield f"**{title}**"
        if place == "header" and found:
            rows = [(f"`{one['name']}`", one["description"]) for one in own]
            yield fields_table(("header", "meaning"), rows)
        elif own:
            yield _parameter_table(own, schemas)
        if len(own) < len(found):
            names = ", ".join(f"`{name}`" for name in _PIPELINE)
            yield f"[Parameters of a pipeline](../http.md#parameters-of-a-pipeline): {names}."


def _parameter_table(parameters: Sequence[Mapping[str, Any]], schemas: Schemas) -> str:
    rows = [
        (
            f"`{one['name']}`",
            type_of(one["schema"], schemas, _in_place),
            "required" if one["required"] else default_of(one["schema"]),
            one["description"],
        )
        for one in parameters
    ]
    return fields_table(("parameter", "values", "default", "meaning"), rows)


def _link_to_errors(name: str) -> str:
    return "[code](../errors/index.md)" if name == "Code" else ""


def _in_place(name: str) -> str:
    return ""


def _body(operation: Operation, link: Callable[[str], str]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content")
    if content:
        yield "**Body**"
        yield table(
            ("media type", "body"),
            [(f"`{name}`", _content(name, one, link)) for name, one in content.items()],
        )


def _content(media_type: str, content: Mapping[str, Any], link: Callable[[str], str]) -> str:
    if media_type == "multipart/form-data":
        return "a form with the image in the field `file`"
    schema = content.get("schema", {})
    return link(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else "the bytes of the image"


def _answers(operation: Operation, link: Callable[[str], str]) -> str:
    rows = [
        (
            status,
            answer["description"],
            ", ".join(_answer_body(answer, link)),
            ", ".join(f"`{name}`" for name in answer.get("headers", ())),
        )
        for status, answer in sorted(operation["responses"].items())
        if "x-codes" not in answer
    ]
    return table(("status", "meaning", "body", "headers"), rows)


def _errors(operation: Operation) -> str:
    rows = [
        (status, ", ".join(f"[`{code}`](../../errors/{code}.md)" for code in answer["x-codes"]))
        for status, answer in sorted(operation["responses"].items())
        if "x-codes" in answer
    ]
    return table(("status", "codes"), rows)


def _answer_body(answer: Mapping[str, Any], link: Callable[[str], str]) -> Iterator[str]:
    for media_type, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        if "$ref" in schema:
            yield link(schema["$ref"].rpartition("/")[2])
        else:
            yield f"`{media_type}`"


def _webhooks(
    document: Mapping[str, Any], resource: str, link: Callable[[str], str]
) -> Iterator[str]:
    """Yield the sections of the webhooks, on the page of the events."""
    if resource != "events":
        return
    schemas = document["components"]["schemas"]
    for methods in document["webhooks"].values():
        for method, operation in methods.items():
            yield "\n\n".join(
                [
                    f"## Webhook: {operation['summary'].lower()}",
                    f"```text\n{method.upper()} url of the receiver\n```",
                    f"{operation['description']} [Webhooks](../../guides/webhooks.md) explains how "
                    "to receive and verify one.",
                    *_parameters(operation, schemas),
                    *_body(operation, link),
                    "**Responses of the receiver**",
                    table(
                        ("status", "meaning"),
                        [
                            (status, answer["description"])
                            for status, answer in operation["responses"].items()
                        ],
                    ),
                ]
            )


def _models(
    resource: str, homes: Mapping[str, str], schemas: Schemas, link: Callable[[str], str]
) -> Iterator[str]:
    """Yield the sections of the models that are described on a resource's page."""
    received = set(_received(schemas))
    names = [name for name, home in homes.items() if home == resource]
    if names:
        yield "## JSON"
    for name in names:
        schema = schemas[name]
        parts = [
            f"### {name}",
            schema.get("description", ""),
            (field_table if name in received else sent_field_table)(schema, schemas, link),
            example_of(schema),
        ]
        yield "\n\n".join(filter(None, parts))


def _received(schemas: Schemas) -> Iterator[str]:
    """Yield the models that clients send: with defaults, where the gateway sends every field."""
    todo = ["NewJob", "WatchRequest"]
    while todo:
        name = todo.pop()
        yield name
        todo += models_in(schemas[name], schemas)

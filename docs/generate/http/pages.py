"""Reference of HTTP: an overview, and a page for each resource with its routes and JSON."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from unittest.mock import Mock

from docs.generate.http.routes import (
    PIPELINE,
    Operation,
    parameter_table,
    route_section,
    webhook_section,
)
from docs.generate.http.texts import COMMON_HEADERS, OVERVIEW, PAGES
from docs.generate.markdown import fields_table, table
from docs.generate.schemas import (
    Link,
    Schemas,
    example_of,
    field_table,
    models_in,
    sent_field_table,
)
from services.gateway.http.openapi import REQUEST_HEADERS, RESPONSE_HEADERS
from services.gateway.http_application import create_http

OVERVIEW_PATH = "reference/http.md"
FOLDER = "reference/http"

_ELSEWHERE = {
    "Code": "../../errors/index.md",
    "Output": "../outputs.md",
    "Pipeline": "../operations.md",
    "Problem": "../http.md#problem-documents",
}
"""Descriptions that are not on a resource's page, as addresses from there."""

_HOMES = ("jobs", "images", "events", "keys", "system", "render")
"""Resources in the order in which they claim the models that they refer to."""

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
            *(route_section(*route, schemas, link) for route in _routes(document, resource)),
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
    pipeline = [one for one in render["parameters"] if one["name"] in PIPELINE]
    return OVERVIEW.format(
        version=document["info"]["version"],
        routes=table(("method", "path", "purpose"), rows),
        common_headers=fields_table(("header", "in", "meaning"), COMMON_HEADERS),
        request_headers=fields_table(("header", "meaning"), _header_rows(REQUEST_HEADERS)),
        response_headers=fields_table(("header", "meaning"), _header_rows(RESPONSE_HEADERS)),
        pipeline=parameter_table(pipeline, schemas),
        problem=sent_field_table(schemas["Problem"], schemas, _link_to_errors),
        pages="\n".join(f"http/{resource}" for resource in PAGES),
    )


def _address(resource: str, operation: Operation) -> str:
    return f"http/{resource}.md#{operation['summary'].lower().replace(' ', '-')}"


def _header_rows(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", text) for name, text in headers.items()]


def _link_to_errors(name: str) -> str:
    return "[code](../errors/index.md)" if name == "Code" else ""


def _webhooks(document: Mapping[str, Any], resource: str, link: Link) -> Iterator[str]:
    """Yield the sections of the webhooks, on the page of the events."""
    if resource == "events":
        for methods in document["webhooks"].values():
            for method, operation in methods.items():
                yield webhook_section(method, operation, document["components"]["schemas"], link)


def _models(resource: str, homes: Mapping[str, str], schemas: Schemas, link: Link) -> Iterator[str]:
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

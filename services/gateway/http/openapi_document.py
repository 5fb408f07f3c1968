"""The OpenAPI document as a whole: FastAPI's, with the parts that no single route can say."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

from fastapi import FastAPI, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from contracts.message import Message
from contracts.operations.pipeline import OPERATIONS
from services.gateway.http.openapi import RESPONSE_HEADERS, Documentation
from services.gateway.middleware.correlation import HEADER as CORRELATION_ID

_CORRELATION_PARAMETER = {
    "name": CORRELATION_ID,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Id of the request in logs: up to 128 letters, digits and `._-`. Left out, or "
    "of another form: a new one.",
}
_EVERYWHERE = {
    CORRELATION_ID: "Id of the request in logs.",
    "RateLimit-Policy": "The limits of the caller, if there are any: what may be taken at once "
    "(`q`) and seconds in which that comes back (`w`) (IETF draft httpapi-ratelimit-headers).",
    "RateLimit": "What is left of each limit (`r`), and the seconds until there is more (`t`).",
    "Vary": "`Accept` if the result depends on this header; `Authorization, Cookie` for a client "
    "with a key (RFC 9110, section 12.5.5).",
}
_HEADERS = {**_EVERYWHERE, **RESPONSE_HEADERS}
_SAFELISTED = {"Cache-Control", "Expires"}
READABLE_HEADERS = frozenset({"Allow", "Content-Length", *_HEADERS}) - _SAFELISTED
"""Header fields of answers that pages of listed origins may read, beside the safelisted ones."""

_REFERENCE = "guide/reference/operations"


class DocumentedApplication(FastAPI):
    """FastAPI whose OpenAPI document is complete, with the schemas of `models` and by `describe`.

    The document is made once, at its first use: that takes 0.3 s, a quarter of a gateway's start.
    """

    def __init__(
        self,
        *,
        models: Sequence[type[Message]],
        describe: Callable[[Documentation], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._models = models
        self._describe = describe
        self._lock = Lock()
        self._query_parameters: dict[str, Sequence[str]] = {}

    def openapi(self) -> Documentation:
        """Return the document of the routes that there are at the first call."""
        with self._lock:
            if self.openapi_schema is not None:
                return self.openapi_schema
            document: Documentation = super().openapi()
            # FastAPI keeps its own document, which is not complete.
            self.openapi_schema = None
            _complete(document, self._models)
            self._describe(document)
            self.openapi_schema = document
            return document

    def query_parameters(self, route: APIRoute) -> Sequence[str]:
        """Return the query parameters of a route in the document, which need not be made."""
        known = self._query_parameters.get(route.unique_id)
        if known is None:
            known = self._query_parameters[route.unique_id] = _query_parameters(route)
        return known


def _query_parameters(route: APIRoute) -> Sequence[str]:
    """Return those of its function and of its dependencies, and then those that it only documents.

    The order is the document's.
    """
    taken = (
        field.alias
        for field in get_flat_params(route.dependant)
        if isinstance(field.field_info, params.Query) and field.field_info.include_in_schema
    )
    documented = (route.openapi_extra or {}).get("parameters", ())
    return (*taken, *(one["name"] for one in documented if one["in"] == "query"))


def _complete(document: Documentation, models: Sequence[type[Message]]) -> None:
    """Complete the OpenAPI document, and add the schemas of `models`, which routes refer to."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    _use_enumerations(document)
    components = document["components"]
    components["schemas"] = {**schemas["$defs"], **components["schemas"]}
    components["headers"] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
    }
    _link_operations(components["schemas"])
    for route in _routes(document):
        parameters = [*route.get("parameters", ()), _CORRELATION_PARAMETER]
        for parameter in parameters:
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["name"] == "op":
                parameter["description"] += f"\n\n{_links(components['schemas'])}"
        route["parameters"] = parameters
        for answer in route["responses"].values():
            answer["headers"] = _shared({**answer.get("headers", {}), **dict.fromkeys(_EVERYWHERE)})


def _routes(document: Documentation) -> Iterator[Documentation]:
    for methods in document["paths"].values():
        yield from methods.values()


def _shared(headers: Documentation) -> Documentation:
    """Return the headers of an answer, as references to those that mean the same everywhere."""
    return {
        name: header
        if header and header["description"] != _HEADERS.get(name)
        else {"$ref": f"#/components/headers/{name}"}
        for name, header in headers.items()
    }


def _link_operations(schemas: Documentation) -> None:
    """Name the page of the guide in the schema of each operation, from the document's folder."""
    for name, model in OPERATIONS.items():
        schema = schemas[model.__name__]
        url = f"{_REFERENCE}/{schema['x-family']}/#{name}"
        schema["externalDocs"] = {"url": url}


def _links(schemas: Documentation) -> str:
    """Return a sentence with a link to the page of each operation."""
    pages = (
        f"[{name}]({schemas[model.__name__]['externalDocs']['url']})"
        for name, model in OPERATIONS.items()
    )
    return f"The operations: {', '.join(pages)}."


def _without_null(schema: Documentation) -> Documentation:
    """Return the schema of a parameter without the type `null`: an absent one has no value."""
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if not choices:
        return schema
    described = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**choices[0], **described} if len(choices) == 1 else {**described, "anyOf": choices}


def _use_enumerations(node: Any) -> None:
    """Write the constants of each union as an enumeration, at any depth.

    Generators of clients know unions with enumerations, and take a number for the constant.
    """
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        _use_enumerations(child)
    if isinstance(node, dict) and isinstance(choices := node.get("anyOf"), list):
        for one in choices:
            if "const" in one:
                one["enum"] = [one.pop("const")]

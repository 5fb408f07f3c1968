"""The section of a route: what it takes, what it answers, and the errors that it names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.outputs import Output
from docs.generate.http.examples import EXAMPLES
from docs.generate.markdown import fields_table, table
from docs.generate.schemas import Link, Schemas, default_of, type_of
from services.gateway.middleware.correlation import HEADER as CORRELATION_ID

# The gateway fills in `among` from Accept.
PIPELINE = ("op", "preset", *(name for name in Output.model_fields if name != "among"))
"""The parameters of a pipeline, which the overview describes once."""

Operation = Mapping[str, Any]
"""The entry of a method and a path in the OpenAPI document."""


def route_section(
    method: str, path: str, operation: Operation, schemas: Schemas, link: Link
) -> str:
    """Return the section of a route."""
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


def webhook_section(method: str, operation: Operation, schemas: Schemas, link: Link) -> str:
    """Return the section of a request that the gateway sends."""
    parts = [
        f"## Webhook: {operation['summary'].lower()}",
        f"```text\n{method.upper()} url of the receiver\n```",
        f"{operation['description']} [Webhooks](../../guides/webhooks.md) explains how to receive "
        "and verify one.",
        *_parameters(operation, schemas),
        *_body(operation, link),
        "**Responses of the receiver**",
        table(
            ("status", "meaning"),
            [(status, answer["description"]) for status, answer in operation["responses"].items()],
        ),
    ]
    return "\n\n".join(parts)


def _example(method: str, path: str) -> Iterator[str]:
    if text := EXAMPLES.get((method, path)):
        yield f"```sh\n{text}\n```"


def _parameters(operation: Operation, schemas: Schemas) -> Iterator[str]:
    # The overview has the header that every request may have.
    parameters = [one for one in operation.get("parameters", ()) if one["name"] != CORRELATION_ID]
    for place, title in (("path", "Path"), ("query", "Query"), ("header", "Headers")):
        found = [one for one in parameters if one["in"] == place]
        own = [one for one in found if one["name"] not in PIPELINE]
        if found:
            yield f"**{title}**"
        if place == "header" and found:
            rows = [(f"`{one['name']}`", one["description"]) for one in own]
            yield fields_table(("header", "meaning"), rows)
        elif own:
            yield parameter_table(own, schemas)
        if len(own) < len(found):
            names = ", ".join(f"`{name}`" for name in PIPELINE)
            yield f"[Parameters of a pipeline](../http.md#parameters-of-a-pipeline): {names}."


def parameter_table(parameters: Sequence[Mapping[str, Any]], schemas: Schemas) -> str:
    """Return a table of parameters of a path or a query."""
    rows = [
        (
            f"`{one['name']}`",
            type_of(one["schema"], schemas, _in_place),
            "required" if one["required"] else default_of(one["schema"]),
            one["description"].partition("\n\n")[0],
        )
        for one in parameters
    ]
    return fields_table(("parameter", "values", "default", "meaning"), rows)


def _in_place(name: str) -> str:
    return ""


def _body(operation: Operation, link: Link) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content")
    if content:
        yield "**Body**"
        yield table(
            ("media type", "body"),
            [(f"`{name}`", _content(name, one, link)) for name, one in content.items()],
        )


def _content(media_type: str, content: Mapping[str, Any], link: Link) -> str:
    if media_type == "multipart/form-data":
        return "a form with the image in the field `file`"
    schema = content.get("schema", {})
    return link(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else "the bytes of the image"


def _answers(operation: Operation, link: Link) -> str:
    rows = [
        (
            status,
            answer["description"],
            ", ".join(_answer_body(answer, link)),
            ", ".join(f"`{name}`" for name in answer.get("headers", ()) if name != CORRELATION_ID),
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


def _answer_body(answer: Mapping[str, Any], link: Link) -> Iterator[str]:
    for media_type, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        if "$ref" in schema:
            yield link(schema["$ref"].rpartition("/")[2])
        else:
            yield f"`{media_type}`"

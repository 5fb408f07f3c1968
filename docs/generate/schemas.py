"""JSON schemas in words: types with their limits, defaults, and a table of a model's fields."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from docs.generate.markdown import fields_table

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]
"""Schemas by the name of their model."""

Link = Callable[[str], str]
"""Return the name of a schema as a link to its description; empty to describe it in its place."""

_NULL = {"type": "null"}
_HEX = re.compile(r"\^\[0-9a-f\]\{(\d+)\}\$")


def field_table(schema: Schema, schemas: Schemas, link: Link) -> str:
    """Return a table of the fields that a client may send: values, default, meaning."""
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            type_of(field, schemas, link),
            "required" if name in required else default_of(field),
            _meaning(field, schemas),
        )
        for name, field in schema["properties"].items()
    ]
    return fields_table(("field", "values", "default", "meaning"), rows)


def sent_field_table(schema: Schema, schemas: Schemas, link: Link) -> str:
    """Return a table of the fields that a service sends, all of them: values, meaning."""
    rows = [
        (
            f"`{name}`",
            type_of(field, schemas, link) + (" or null" if _is_nullable(field) else ""),
            _meaning(field, schemas),
        )
        for name, field in schema["properties"].items()
    ]
    return fields_table(("field", "values", "meaning"), rows)


def type_of(schema: Schema, schemas: Schemas, link: Link) -> str:
    """Return the type of a value with its limits and its unit, as Markdown; without null."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        unit = {name: schema[name] for name in ("x-unit",) if name in schema}
        return " or ".join(
            type_of({**unit, **choice}, schemas, link) for choice in choices if choice != _NULL
        )
    if "$ref" in schema:
        name = _name(schema)
        return link(name) or type_of(schemas[name], schemas, link)
    return _plain_type(schema, schemas, link)


def _plain_type(schema: Schema, schemas: Schemas, link: Link) -> str:
    match schema:
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "items": items}:
            count = _range(schema.get("minItems"), schema.get("maxItems"))
            size = f"{count} items" if count else ""
            return _joined(f"list of {type_of(items, schemas, link)}", size)
        case {"type": "object", "additionalProperties": values}:
            return f"object whose values are {type_of(values, schemas, link)}"
        case {"type": "object", "patternProperties": patterns} if len(patterns) == 1:
            (values,) = patterns.values()
            return f"object whose values are {type_of(values, schemas, link)}"
        case {"type": "integer" | "number" as name}:
            return _joined(name, _limits(schema))
        case {"format": "date-time"}:
            return "time (RFC 3339)"
        case {"format": "binary"}:
            return "bytes"
        case {"pattern": pattern} if hexadecimal := _HEX.fullmatch(pattern):
            return f"{hexadecimal[1]} hex digits"
        case {"pattern": _, "maxLength": longest}:
            return f"text, {longest:,} characters at most"
        case {"pattern": pattern}:
            return f"text like `{pattern}`"
        case {"maxLength": longest}:
            return f"text, {longest:,} characters at most"
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case _:
            raise ValueError(f"no words for the schema {schema}")


def default_of(schema: Schema) -> str:
    """Return a default as Markdown."""
    match schema.get("default"):
        case None | []:
            return "none"
        case dict():
            return "its own defaults"
        case value:
            return f"`{_json(value)}`"


def _json(value: object) -> str:
    return json.dumps(value).strip('"')


def is_model(schema: Schema) -> bool:
    """Return whether a schema has fields of its own."""
    return "properties" in schema


def models_in(node: Any, schemas: Schemas) -> Iterator[str]:
    """Yield the names of the models that a schema, or a part of a document, refers to."""
    if isinstance(node, Mapping):
        if "$ref" in node and (name := _name(node)) in schemas and is_model(schemas[name]):
            yield name
        node = [part for key, part in node.items() if key not in ("discriminator", "examples")]
    if isinstance(node, list):
        for part in node:
            yield from models_in(part, schemas)


def example_of(schema: Schema) -> str:
    """Return the first example of a model as a block of JSON; empty without any."""
    for example in schema.get("examples", ()):
        # Pydantic sorts the fields of examples by name.
        ordered = {name: example[name] for name in schema["properties"] if name in example}
        return f"```json\n{json.dumps(ordered, indent=2)}\n```"
    return ""


def _meaning(field: Schema, schemas: Schemas) -> str:
    """Return the description of a field, or else of the model that it refers to."""
    if "$ref" in field:
        field = {**schemas[_name(field)], **field}
    return str(field.get("description", ""))


def _is_nullable(field: Schema) -> bool:
    return _NULL in field.get("anyOf", ())


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _limits(schema: Schema) -> str:
    unit = schema.get("x-unit", "")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    parts = [
        _range(schema.get("minimum"), schema.get("maximum")),
        "" if above is None else f"more than {_number(above)}",
        "" if below is None else f"less than {_number(below)}",
    ]
    return f"{', '.join(filter(None, parts))} {unit}".strip()


def _range(low: float | None, high: float | None) -> str:
    """Return `1 to 64`, `up to 64` or `at least 1`; empty without limits."""
    if low is None:
        return "" if high is None else f"up to {_number(high)}"
    return f"at least {_number(low)}" if high is None else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    """Return a number with commas: FastAPI writes 1000 as 1000.0."""
    return f"{int(value) if value == int(value) else value:,}"


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))

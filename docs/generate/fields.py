"""The fields of a model as a reference shows them: values with limits and units, and defaults."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

_Schema = Mapping[str, Any]

_COLOURS = "../operations.md#colours"  # from the pages of the families, which alone have colours


@dataclass(frozen=True)
class FieldText:
    """A field in words: `values` and `default` are Markdown, without a full stop."""

    name: str
    values: str
    default: str
    description: str


def field_texts(model: type[BaseModel]) -> Iterator[FieldText]:
    """Yield the fields of a model in order, without `op`."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        if name != "op":
            types = [_resolved(one, definitions) for one in field.get("anyOf", [field])]
            yield FieldText(
                name,
                _values(types, field.get("x-unit"), definitions),
                "required" if name in schema.get("required", ()) else _default(field["default"]),
                _with_code(field["description"], types),
            )


def _values(types: Sequence[_Schema], unit: str | None, definitions: _Schema) -> str:
    texts = [
        _type({"x-unit": unit, **one}, definitions) for one in types if one.get("type") != "null"
    ]
    return ", or ".join(texts)


def _with_code(description: str, types: Sequence[_Schema]) -> str:
    """Write the choices that the description explains as code: `cover: fill the box`."""
    for one in types:
        is_flag = one.get("type") == "boolean"
        for choice in ("true", "false") if is_flag else one.get("enum", [one.get("const")]):
            description = re.sub(rf"\b{choice}:", f"`{choice}`:", description)
    return description


def _resolved(one: _Schema, definitions: _Schema) -> _Schema:
    reference = one.get("$ref")
    return {**definitions[reference.rpartition("/")[2]], **one} if reference else one


def _type(one: _Schema, definitions: _Schema) -> str:
    match one:
        case {"enum": choices}:
            return ", ".join(f"`{choice}`" for choice in choices)
        case {"const": constant}:
            return f"`{constant}`"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"type": "integer"}:
            return f"integer, {_range(one)}"
        case {"type": "number"}:
            return f"number, {_range(one)}"
        case {"type": "array", "items": items}:
            return f"list of {_type(_resolved(items, definitions), definitions)}"
        case {"format": "color"}:
            return f"{'opaque ' if one.get('x-opaque') else ''}[colour]({_COLOURS})"
        case {"format": "image-id"}:
            return "id of an image"
        case {"pattern": pattern} if pattern.endswith("%$"):
            return "0 to 100 with a percent sign"
        case {"maxLength": longest}:
            return f"text of {one.get('minLength', 0)} to {longest} characters"
        case _:
            raise ValueError(f"The reference has no words for a field of the type {one}.")


def _range(one: _Schema) -> str:
    """Return the limits of a number with their unit: `1 to 100 px`, `above 0, up to 100 px`."""
    low, above = one.get("minimum"), one.get("exclusiveMinimum")
    high, below = one.get("maximum"), one.get("exclusiveMaximum")
    start = f"above {above:,}, up" if low is None else f"{low:,}"
    end = f"below {below:,}" if high is None else f"{high:,}"
    unit = one.get("x-unit") or ""
    # A degree sign stands at its number.
    return f"{start} to {end}{unit if unit == '°' else f' {unit}'}".rstrip()


def _default(value: object) -> str:
    """Return a default as a query has it: without `#` before a colour."""
    match value:
        case None | []:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{str(value).removeprefix('#')}`"

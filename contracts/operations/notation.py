"""The notation of operations in a URL's query: `resize:width=720,fit=cover`, `rotate:90`.

    operation = name [ ":" fields ]
    fields    = value | field "=" value *( "," field "=" value )

A single value without a field's name is the value of the operation's first field. Within a value,
`\\,` is a comma, which a text may contain; any other backslash is literal. Names and fields are
those of the models, so a new operation needs no change here.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from pydantic import ValidationError

from contracts.errors import InvalidOperation
from contracts.explanations import explain
from contracts.operations.pipeline import OPERATIONS, Operation, Pipeline
from contracts.outputs import Output

COMMA = re.compile(r"(?<!\\),")
"""Separates the fields of an operation."""


def parse_operation(text: str) -> Operation:
    """Parse one operation, such as `rotate:90`.

    Raises InvalidOperation, whose detail names the operation and the field.
    """
    name, colon, rest = text.partition(":")
    if name not in OPERATIONS:
        known = ", ".join(OPERATIONS)
        raise InvalidOperation(f"{name[:40]!r} is not an operation; there are: {known}.")
    fields: dict[str, Any] = {"op": name}
    parts = COMMA.split(rest) if colon else []
    for part in parts:
        field, equals, value = part.partition("=")
        if not equals:
            if len(parts) > 1:
                raise InvalidOperation(
                    f"{name}: name the fields when there are several; in a value, a comma is \\,."
                )
            field, value = _first_field(name), part
        if field in fields:
            raise InvalidOperation(f"{name}: {field[:40]!r} is given twice.")
        fields[field] = value.replace("\\,", ",")
    try:
        return cast(Operation, OPERATIONS[name].model_validate(fields))
    except ValidationError as exc:
        raise InvalidOperation(f"{name}: {explain(exc, OPERATIONS[name])}") from exc


def parse_pipeline(
    operations: Sequence[str],
    format: str | None = None,
    quality: str | None = None,
    **fields: str | None,
) -> Pipeline:
    """Parse a query: the values of `op` in order, and the fields of its `Output` as text.

    A field that is None counts as left out. Raises InvalidOperation.
    """
    given = {"format": format, "quality": quality, **fields}
    try:
        output = Output.model_validate(
            {field: text for field, text in given.items() if text is not None}
        )
    except ValidationError as exc:
        raise InvalidOperation(f"output: {explain(exc, Output)}") from exc
    try:
        return Pipeline(operations=tuple(map(parse_operation, operations)), output=output)
    except ValidationError as exc:
        raise InvalidOperation(explain(exc, Pipeline)) from exc


def _first_field(name: str) -> str:
    return next((field for field in OPERATIONS[name].model_fields if field != "op"), "value")

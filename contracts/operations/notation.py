"""The notation of operations in a URL's query: `resize:width=720,fit=cover`, `rotate:90`.

    operation = name [ ":" fields ]
    fields    = value | field "=" value *( "," field "=" value )

A single value without a field's name is the value of the operation's first field. Within a value,
`\\,` is a comma, which a text may contain; any other backslash is literal. Names and fields are
those of the models, so a new operation needs no change here.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.errors import InvalidOperation
from contracts.operations.pipeline import OPERATIONS, Operation, Pipeline
from contracts.outputs import Output

_COMMA = re.compile(r"(?<!\\),")
_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)


def parse_operation(text: str) -> Operation:
    """Parse one operation, such as `rotate:90`.

    Raises InvalidOperation, whose detail names the operation and the field.
    """
    name, colon, rest = text.partition(":")
    if name not in OPERATIONS:
        known = ", ".join(OPERATIONS)
        raise InvalidOperation(f"{name[:40]!r} is not an operation; there are: {known}.")
    fields: dict[str, Any] = {"op": name}
    parts = _COMMA.split(rest) if colon else []
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
        return _OPERATION.validate_python(fields)
    except ValidationError as exc:
        raise InvalidOperation(f"{name}: {explain(exc, skip=1)}") from exc


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
        raise InvalidOperation(f"output: {explain(exc)}") from exc
    try:
        return Pipeline(operations=tuple(map(parse_operation, operations)), output=output)
    except ValidationError as exc:
        raise InvalidOperation(explain(exc)) from exc


def explain(error: ValidationError, *, skip: int = 0) -> str:
    """Return validation errors as one sentence for a client, with a clause for each field.

    Each clause begins with the field's path, without its first `skip` parts. The sentence holds
    five clauses and 601 characters at most, and repeats nothing of the input but names of fields.
    """
    items = error.errors(include_url=False, include_input=False)
    # pydantic counts only the valid items of a list: with a broken one it may also be too short.
    wholes = {item["loc"][:end] for item in items for end in range(len(item["loc"]))}
    clauses = []
    for item in [item for item in items if item["loc"] not in wholes][:5]:
        path = ".".join(str(part)[:40] for part in item["loc"][skip:])
        message = item["msg"].removeprefix("Value error, ")
        match item["type"], item.get("ctx"):
            case "too_long", {"max_length": most, "actual_length": number}:
                message = f"List should have at most {most} items, not {number}"
            case "too_short", {"min_length": least}:
                message = f"List should have at least {least} item{'s' * (least > 1)}"
        clauses.append(f"{path}: {message}" if path else message)
    return "; ".join(clauses)[:600] + "."


def _first_field(name: str) -> str:
    return next((field for field in OPERATIONS[name].model_fields if field != "op"), "value")

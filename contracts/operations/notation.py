"""Operations as a person writes them in a query: `resize:width=720,fit=cover`, `rotate:90`.

The grammar is derived from the models, so a new operation needs nothing here:

    operation = name [ ":" fields ]
    fields    = value | field "=" value *( "," field "=" value )

A lone value stands for the operation's first field. Within a value, `\\,` is a comma: a text may
need one. Any other backslash is itself.
"""

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from contracts.errors import InvalidOperation
from contracts.operations.pipeline import Operation, Pipeline
from contracts.outputs import Output

_COMMA = re.compile(r"(?<!\\),")
_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)
_MODELS = {model.model_fields["op"].default: model for model in get_args(get_args(Operation)[0])}


def parse_operation(text: str) -> Operation:
    """The operation that `text` writes down.

    Raises InvalidOperation, naming the operation and the field.
    """
    name, colon, rest = text.partition(":")
    if name not in _MODELS:
        known = ", ".join(_MODELS)
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
    """The pipeline that a query's `op` and the fields of its output write down.

    A field is named as in Output, and None stands for one that is left out. Raises
    InvalidOperation.
    """
    written = {"format": format, "quality": quality, **fields}
    try:
        output = Output.model_validate(
            {field: text for field, text in written.items() if text is not None}
        )
    except ValidationError as exc:
        raise InvalidOperation(f"output: {explain(exc)}") from exc
    try:
        return Pipeline(operations=tuple(map(parse_operation, operations)), output=output)
    except ValidationError as exc:
        raise InvalidOperation(explain(exc)) from exc


def explain(error: ValidationError, *, skip: int = 0) -> str:
    """What is wrong, a clause a field, in a sentence; `skip` leading places are not named."""
    clauses = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:5]:
        place = ".".join(str(part)[:40] for part in item["loc"][skip:])
        clauses.append(f"{place}: {item['msg']}" if place else item["msg"])
    return "; ".join(clauses)[:600] + "."


def _first_field(name: str) -> str:
    return next((field for field in _MODELS[name].model_fields if field != "op"), "value")

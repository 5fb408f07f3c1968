"""Validation errors in plain English, for the clients that have caused them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_MAX_CLAUSES = 5
_MAX_NAME = 40  # characters of a name that an error repeats
_MAX_TEXT = 600  # characters

_NUMBER = "should be a number"
_WHOLE_NUMBER = "should be a whole number"
_YES_OR_NO = "should be true or false"
_TEXT = "should be a text"
_WORDS = {
    "missing": "is required",
    "bool_parsing": _YES_OR_NO,
    "bool_type": _YES_OR_NO,
    "enum": "should be one of {expected}",
    "finite_number": "should be a finite number",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge} or more",
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": "should be a smaller number",
    "int_type": _WHOLE_NUMBER,
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le} or less",
    "literal_error": "should be {expected}",
    "string_too_long": "should have {max_length} characters at most",
    "string_too_short": "should have {min_length} characters at least",
    "string_type": _TEXT,
    "too_long": "should have {max_length} items at most, not {actual_length}",
    "too_short": "should have {min_length} items at least",
}
"""The wording of each kind of error of pydantic; other kinds keep pydantic's."""

_JSON_FAULT = re.compile(r"(.*) at line (\d+) column (\d+)")
_END = "EOF while parsing "
_INSIDE = {"a list": "inside a list", "an object": "inside an object", "a string": "inside a text"}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the errors in the fields of a `model` as one sentence, with a clause for each.

    Each clause begins with the field's path. The sentence holds five clauses and 601 characters at
    most, and repeats nothing of the input but names of fields.
    """
    items = error.errors(include_url=False, include_input=False)
    # pydantic counts only the valid items of a list: with a broken one it may also be too short.
    wholes = {item["loc"][:end] for item in items for end in range(len(item["loc"]))}
    clauses = []
    for item in [item for item in items if item["loc"] not in wholes][:_MAX_CLAUSES]:
        *parents, name = item["loc"] or ("",)
        if item["type"] == "extra_forbidden":
            path, text = _path(parents), _unknown_field(str(name), model, parents)
        else:
            path, text = _path(item["loc"]), describe(item)
        clauses.append(f"{path}: {text}" if path else text)
    return "; ".join(clauses)[:_MAX_TEXT] + "."


def describe(item: Mapping[str, Any]) -> str:
    """Return the text of one error of pydantic. A clause with the field's name comes before it."""
    words = _WORDS.get(item["type"])
    context = {name: _plain(value) for name, value in item.get("ctx", {}).items()}
    if item["type"] == "json_invalid":
        return _json_fault(str(context["error"]))
    if words is None:
        message: str = item["msg"]
        return message.removeprefix("Value error, ").removeprefix("Input " if item["loc"] else "")
    text = words.format_map(context)
    return text.replace(" 1 items ", " 1 item ").replace(" 1 characters ", " 1 character ")


def _plain(value: object) -> object:
    """Return a number without `.0`, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _json_fault(error: str) -> str:
    """Return where a text is no JSON, and why, from the error of pydantic's parser."""
    match = _JSON_FAULT.fullmatch(error)
    if match is None:
        return f"the JSON is malformed: {error}"
    reason, line, column = match.groups()
    if not reason.startswith(_END):
        return f"the JSON is malformed at line {line}, column {column}: {reason}"
    if column == "0":
        return "the JSON is empty"
    place = _INSIDE.get(reason.removeprefix(_END), "where a value should follow")
    return f"the JSON ends too early, at line {line}, column {column}, {place}"


def _path(parts: Sequence[str | int]) -> str:
    # The name of a model is the tag of a union's member: pydantic has it, and the input has not.
    names = (str(part)[:_MAX_NAME] for part in parts)
    return ".".join(name for name in names if not name[:1].isupper())


def _unknown_field(name: str, model: type[BaseModel], parents: Sequence[str | int]) -> str:
    owner = _model_at(model, parents)
    fields = [field.alias or field_name for field_name, field in owner.model_fields.items()]
    shown = name[:_MAX_NAME]
    similar = get_close_matches(shown, fields, n=1, cutoff=0.7)
    if similar:
        return f"{shown!r} is not a field (did you mean {similar[0]!r}?)"
    known = ", ".join(field for field in fields if field != "op")
    return f"{shown!r} is not a field; " + (f"there are: {known}" if known else "there are none")


def _model_at(model: type[BaseModel], path: Iterable[str | int]) -> type[BaseModel]:
    """Return the model in which the path of an error ends.

    A part of the path is a field, the number of an item, or the tag of a union's member.
    """
    choices = [model]
    for part in path:
        if isinstance(part, int):
            continue
        fields = [one.model_fields[part] for one in choices if part in one.model_fields]
        if fields:
            choices = list(_models_in(fields[0].annotation))
            continue
        tagged = [one for one in choices if _tag_of(one) == part]
        choices = tagged or choices
    return choices[0] if choices else model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models in a type: itself, or the members of its union or the items of its list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _tag_of(model: type[BaseModel]) -> object:
    field = model.model_fields.get("op")
    return field.default if field else model.__name__

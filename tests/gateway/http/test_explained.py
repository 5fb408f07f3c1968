"""Every field that has a pattern says in words what it may contain."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import BaseRoute

from contracts.explanations import explain
from contracts.message import Message
from services.gateway.http_application import create_http
from services.gateway.routes.keys import NewKey


def messages(parent: type[Message] = Message) -> Iterator[type[Message]]:
    """Yield each model of the contracts and of the gateway."""
    for child in parent.__subclasses__():
        yield child
        yield from messages(child)


def shown_patterns(schema: Any) -> Iterator[str]:
    """Yield the patterns in a core schema that an error would show."""
    if isinstance(schema, list | tuple):
        for each in schema:
            yield from shown_patterns(each)
    if isinstance(schema, dict) and "custom_error_message" not in schema:
        if schema.get("type") == "str" and "pattern" in schema:
            yield schema["pattern"]
        for each in schema.values():
            yield from shown_patterns(each)


def routes_of(among: list[BaseRoute]) -> Iterator[APIRoute]:
    for route in among:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
        elif isinstance(route, APIRoute):
            yield route


def test_no_error_shows_a_pattern() -> None:
    http = create_http(Mock())
    found = {
        (model.__name__, pattern)
        for model in messages()
        for pattern in shown_patterns(model.__pydantic_core_schema__)
    }
    found |= {
        (f"{route.path}?{field.name}", pattern)
        for route in routes_of(http.routes)
        for field in (*route.dependant.query_params, *route.dependant.header_params)
        for pattern in shown_patterns(field._type_adapter.core_schema)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"project": "Web site"},
            "project: should be up to 32 lower-case letters, digits and hyphens, with no hyphen at "
            "an end.",
        ),
        ({"limits": {"rate_calls": 0}}, "limits.rate_calls: should be more than 0."),
    ],
)
def test_a_new_key_that_is_wrong_is_refused_in_words(
    changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        NewKey.model_validate({"name": "web", "scopes": ["render"], **changed})

    assert explain(refused.value, NewKey) == sentence

"""Every message is immutable, described, and refuses unknown fields."""

import importlib
import pkgutil

import pytest
from pydantic import ValidationError

import contracts
from contracts.message import Message


def messages(of: type[Message] = Message) -> list[type[Message]]:
    """Return all message classes of the contracts that have fields."""
    found = [kind for child in of.__subclasses__() for kind in (child, *messages(child))]
    return [one for one in found if one.__module__.startswith("contracts.") and one.model_fields]


for module in pkgutil.iter_modules(contracts.__path__):
    importlib.import_module(f"contracts.{module.name}")

MESSAGES = pytest.mark.parametrize("model", messages(), ids=lambda model: model.__name__)


def example_of(model: type[Message]) -> dict[str, object]:
    example: dict[str, object] = model.model_json_schema()["examples"][0]
    return example


@MESSAGES
def test_a_message_has_a_docstring(model: type[Message]) -> None:
    assert (model.__doc__ or "").strip().endswith(".")


@MESSAGES
def test_every_field_has_a_description(model: type[Message]) -> None:
    for name, field in model.model_fields.items():
        if name != "op":  # the docstring of the operation describes it
            assert (field.description or "").endswith((".", "...")), name


@MESSAGES
def test_every_example_is_a_valid_message(model: type[Message]) -> None:
    examples = model.model_json_schema()["examples"]

    assert examples
    for example in examples:
        read = model.model_validate(example)
        assert model.model_validate_json(read.model_dump_json()) == read


@MESSAGES
def test_a_message_is_immutable(model: type[Message]) -> None:
    message = model.model_validate(example_of(model))

    for name in model.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(message, name, None)
    assert hash(message) == hash(message.model_copy())


@MESSAGES
def test_an_unknown_field_is_an_error(model: type[Message]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate({**example_of(model), "unknown": 1})

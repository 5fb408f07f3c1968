"""The JSON schema of operations holds everything from which a page builds its controls."""

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from contracts.operations.base import BaseOperation
from contracts.operations.pipeline import OPERATIONS, Pipeline

SCHEMA = Pipeline.model_json_schema()
LOWER = {"minimum", "exclusiveMinimum"}
UPPER = {"maximum", "exclusiveMaximum"}
FAMILIES = ["shapes", "looks", "finishes", "overlays"]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that a node refers to, with what the node itself says on top."""
    reference = node.get("$ref")
    return {**SCHEMA["$defs"][reference.rpartition("/")[2]], **node} if reference else node


def operations() -> dict[str, dict[str, Any]]:
    """Return the schemas of operations by name, in the order of the schema of Pipeline."""
    choices = SCHEMA["properties"]["operations"]["items"]["oneOf"]
    found = [resolved(choice) for choice in choices]
    return {schema["properties"]["op"]["const"]: schema for schema in found}


def fields() -> list[tuple[str, str]]:
    return [
        (name, field)
        for name, schema in operations().items()
        for field in schema["properties"]
        if field != "op"
    ]


def test_operations_come_in_the_order_of_their_families() -> None:
    families = [schema["x-family"] for schema in operations().values()]

    assert list(operations()) == list(OPERATIONS)
    assert list(dict.fromkeys(families)) == FAMILIES
    assert families == sorted(families, key=FAMILIES.index)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_a_title_a_description_and_an_example(name: str) -> None:
    schema = operations()[name]

    assert schema["title"]
    assert schema["description"].endswith(".")
    assert schema["examples"][0]["op"] == name


@pytest.mark.parametrize(("name", "field"), fields())
def test_a_field_has_a_title_a_description_and_a_default_or_is_required(
    name: str, field: str
) -> None:
    schema = operations()[name]
    described = resolved(schema["properties"][field])

    assert described["title"]
    assert described["description"].endswith(".")
    assert ("default" in described) is not (field in schema.get("required", ()))


@pytest.mark.parametrize(("name", "field"), fields())
def test_a_field_has_limits_or_choices_for_each_of_its_types(name: str, field: str) -> None:
    described = resolved(operations()[name]["properties"][field])
    for one in map(resolved, described.get("anyOf", [described])):
        if "enum" in one or "const" in one:
            continue
        match one["type"]:
            case "integer" | "number":
                assert LOWER & set(one)
                assert UPPER & set(one)
            case "string":
                assert {"maxLength", "pattern"} & set(one)
            case other:
                assert other in ("boolean", "null")


@pytest.mark.parametrize(
    ("name", "field", "unit"),
    [
        ("resize", "width", "px"),
        ("rotate", "degrees", "°"),
        ("autocontrast", "cutoff", "%"),
        ("text", "size", "px"),
        ("adjust", "contrast", None),
    ],
)
def test_a_number_has_its_unit(name: str, field: str, unit: str | None) -> None:
    described = operations()[name]["properties"][field]

    assert described.get("anyOf", [described])[0].get("x-unit") == unit


def test_colours_and_image_ids_have_a_format_of_their_own() -> None:
    assert operations()["tint"]["properties"]["colour"]["format"] == "color"
    assert operations()["watermark"]["properties"]["image"]["format"] == "image-id"


@pytest.mark.parametrize(("name", "field"), fields())
def test_every_example_of_a_field_is_accepted(name: str, field: str) -> None:
    described = resolved(operations()[name]["properties"][field])
    info: Any = OPERATIONS[name].model_fields[field]
    accepted: TypeAdapter[Any] = TypeAdapter(Annotated[info.annotation, info])

    for one in (described, *described.get("anyOf", ())):
        for example in one.get("examples", ()):
            accepted.validate_python(example)


def test_every_operation_is_in_the_union_of_its_family() -> None:
    def kinds(base: type[BaseOperation]) -> set[type[BaseOperation]]:
        return {base}.union(*map(kinds, base.__subclasses__()))

    written = {
        kind
        for kind in kinds(BaseOperation)
        if kind.__module__.startswith("contracts.") and "op" in kind.model_fields
    }

    assert written == set(OPERATIONS.values())

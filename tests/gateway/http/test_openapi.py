"""The OpenAPI document: complete, valid, and true of the routes."""

import re
from typing import Any

import httpx
import pytest

from contracts.formats import Format
from contracts.operations.pipeline import OPERATIONS
from tests.json_references import references


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)
        assert {"422", "500", "503"} <= set(operation["responses"]), (method, path)
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (method, path, parameter["name"])


def test_every_field_of_a_body_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.keys() & {"description", "$ref", "const"}, (name, field)


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(names)) == len(names)


def test_every_reference_has_a_target(document: dict[str, Any]) -> None:
    found = references(document)

    assert found
    for reference in found:
        place: Any = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            assert part in place, reference
            place = place[part]


def test_the_document_conforms_to_openapi(document: dict[str, Any]) -> None:
    """By section 4.8 of OpenAPI 3.1."""
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"]
    assert document["info"]["version"]
    for path, method, operation in operations(document):
        assert path.startswith("/")
        assert method in {"get", "post", "put", "delete"}
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5](?:\d\d|XX)", status)
            assert response["description"]
        placed = {
            parameter["name"]
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "path" and parameter["required"] is True
        }
        assert placed == set(re.findall(r"{(\w+)}", path))


def test_the_documented_methods_are_the_allowed_ones(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    for path, methods in document["paths"].items():
        address = re.sub(r"{\w+}", "0", path)

        refused = client.request("PATCH", address, params={"preset": "card"})

        documented = {method.upper() for method in methods}
        allowed = documented | ({"HEAD"} if "GET" in documented else set())
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == allowed


def test_the_code_of_a_failed_job_names_the_page_that_explains_it(
    document: dict[str, Any],
) -> None:
    code = document["components"]["schemas"]["Failure"]["properties"]["code"]

    assert "`/guide/errors/{code}`" in code["description"]


def test_the_document_has_the_tables_from_which_a_page_builds_its_controls(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    choices = schemas["Pipeline"]["properties"]["operations"]["items"]["oneOf"]
    operations = [schemas[choice["$ref"].rpartition("/")[2]] for choice in choices]

    assert [one["properties"]["op"]["const"] for one in operations] == list(OPERATIONS)
    assert all(one["x-family"] and one["description"] for one in operations)
    assert [row["name"] for row in schemas["Format"]["x-formats"]] == list(Format)

"""The OpenAPI document as generators of clients read it: types, statuses, headers, one problem."""

import json
import re
from typing import Any
from unittest.mock import Mock

import pytest

from contracts.errors import Code
from contracts.operations.pipeline import OPERATIONS
from services.gateway.access.keys.sessions import COOKIE
from services.gateway.access.rules import RULES
from services.gateway.http_application import create_http
from services.gateway.settings import GatewaySettings
from tests.gateway.documented import document
from tests.processes import ROOT

ROUTES: dict[str, dict[str, Any]] = {
    operation["operationId"]: {**operation, "method": method}
    for methods in document()["paths"].values()
    for method, operation in methods.items()
}
SCHEMAS: dict[str, Any] = document()["components"]["schemas"]


def parameter(route: str, name: str) -> dict[str, Any]:
    [found] = [one for one in ROUTES[route]["parameters"] if one["name"] == name]
    return dict(found)


def types_of(schema: dict[str, Any]) -> set[str]:
    return {one["type"] for one in schema.get("anyOf", [schema])}


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("format", {"string"}),
        ("quality", {"integer", "string"}),
        ("lossless", {"boolean"}),
        ("max_bytes", {"integer"}),
        ("op", {"array"}),
        ("timeout", {"number"}),
    ],
)
def test_a_parameter_has_its_type_and_is_never_null(name: str, types: set[str]) -> None:
    for route in ("render_an_image", "render_an_uploaded_image", "submit_a_job"):
        assert types_of(parameter(route, name)["schema"]) == types


@pytest.mark.parametrize("route", ["upload_an_image", "render_an_image", "submit_a_job"])
def test_an_image_in_a_body_is_never_empty(route: str) -> None:
    content = ROUTES[route]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]
    for schema in (content["image/*"]["schema"], form["properties"]["file"]):
        assert schema["minLength"] == 1


def test_the_parameter_of_operations_leads_to_the_page_of_each() -> None:
    described = parameter("render_an_uploaded_image", "op")["description"]
    links = dict(re.findall(r"\[(\w+)\]\((\S+)\)", described))

    assert list(links) == list(OPERATIONS)
    for name, address in links.items():
        page, _, heading = address.removeprefix("guide/").partition("/#")
        assert heading == name
        assert f"\n## {name}\n" in (ROOT / f"docs/{page}.md").read_text()
        assert SCHEMAS[OPERATIONS[name].__name__]["externalDocs"]["url"] == address


def test_each_operation_of_the_union_requires_the_name_that_tells_them_apart() -> None:
    union = SCHEMAS["Pipeline"]["properties"]["operations"]["items"]

    assert union["discriminator"]["propertyName"] == "op"
    for name, address in union["discriminator"]["mapping"].items():
        schema = SCHEMAS[address.rpartition("/")[2]]
        assert "op" in schema["required"]
        assert schema["properties"]["op"]["const"] == name


@pytest.mark.parametrize(
    ("route", "statuses"),
    [
        ("upload_an_image", "200 201"),
        ("render_an_image", "200 202"),
        ("submit_a_job", "200 202 303"),
        ("get_a_job", "200 202 302"),
        ("list_the_results_of_a_job", "200 202"),
        ("fetch_a_result_of_a_job", "200 202 206 304 412 416"),
        ("render_an_uploaded_image", "200 206 304 412 416"),
        ("fetch_an_image", "200 206 304 412 416"),
        ("describe_an_image", "200 304 412"),
        ("stream_the_events_of_a_job", "200 204"),
    ],
)
def test_each_status_that_can_come_is_named(route: str, statuses: str) -> None:
    named = ROUTES[route]["responses"]

    assert set(statuses.split()) <= named.keys()
    assert {one for one in named if one < "400"} == {one for one in statuses.split() if one < "4"}


def test_every_route_takes_and_answers_the_id_of_the_request() -> None:
    for name, route in ROUTES.items():
        assert parameter(name, "X-Correlation-ID")["in"] == "header"
        for answer in route["responses"].values():
            assert "X-Correlation-ID" in answer["headers"]


@pytest.mark.parametrize("header", ["Idempotency-Key", "Prefer"])
def test_what_makes_a_job_takes_its_headers(header: str) -> None:
    for route in ("render_an_image", "submit_a_job"):
        assert parameter(route, header)["in"] == "header"


def test_a_change_names_the_refusal_of_other_origins() -> None:
    for name, route in ROUTES.items():
        codes = route["responses"].get("403", {}).get("x-codes", ())
        assert (Code.ORIGIN_NOT_ALLOWED in codes) == (route["method"] != "get"), name


def test_images_are_named_only_where_a_body_or_an_answer_is_one() -> None:
    bodies = {name for name, route in ROUTES.items() if "image/*" in content_of(route)}
    answers = {
        (name, status)
        for name, route in ROUTES.items()
        for status, answer in route["responses"].items()
        if "image/*" in answer.get("content", ())
    }

    assert bodies == {"render_an_image", "submit_a_job", "upload_an_image"}
    assert answers == {("render_an_image", "200")} | {
        (name, status)
        for name in (
            "fetch_an_image",
            "render_an_uploaded_image",
            "render_an_image_of_a_source",
            "fetch_a_result_of_a_job",
        )
        for status in ("200", "206")
    }


def content_of(route: dict[str, Any]) -> dict[str, Any]:
    return dict(route.get("requestBody", {}).get("content", {}))


def test_every_error_is_one_schema_whose_code_is_an_enumeration() -> None:
    for route in ROUTES.values():
        for status, answer in route["responses"].items():
            if status >= "400":
                assert answer["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
    assert SCHEMAS["Problem"]["properties"]["code"]["$ref"] == "#/components/schemas/Code"
    assert SCHEMAS["Code"]["enum"] == list(Code)
    assert SCHEMAS["ResultProblem"]["properties"]["code"]["$ref"] == "#/components/schemas/Code"


NOTHING: dict[str, list[str]] = {}
KEY, SESSION, SIGNATURE = ({name: list[str]()} for name in ("key", "session", "signature"))


def test_a_route_says_the_key_that_it_needs_and_the_answers_without_one() -> None:
    rules = {
        f"{method} {path}": rule
        for path, methods in RULES.items()
        for method, rule in methods.items()
    }
    for path, methods in document()["paths"].items():
        for method, route in methods.items():
            rule = rules[f"{method.upper()} {path}"]
            needed = [KEY, SESSION] if rule.always else [NOTHING, KEY, SESSION]
            if path == "/v1/session":
                needed = [KEY]  # a session is begun with no other session
            if method == "get" and rule.scope in ("render", "fetch"):
                needed.append(SIGNATURE)
            assert route["security"] == ([] if rule.open else needed)
            assert route.get("x-scope") == rule.scope
            assert rule.scope is None or f"`{rule.scope}`" in route["description"]
            assert {"401", "403", "429"} <= route["responses"].keys()
            assert "WWW-Authenticate" in route["responses"]["401"]["headers"]
            assert "Retry-After" in route["responses"]["429"]["headers"]


def without_a_key(anonymous: str) -> dict[str, list[dict[str, list[str]]]]:
    """Return what routes allow beside keys and sessions, by name, where keys are asked for."""
    settings = GatewaySettings.model_validate({"access": "keys", "anonymous": anonymous})
    found = {
        route["operationId"]: [one for one in route["security"] if one not in (KEY, SESSION)]
        for methods in create_http(Mock(settings=settings)).openapi()["paths"].values()
        for route in methods.values()
    }
    return {name: others for name, others in found.items() if others}


def test_with_keys_the_document_says_what_is_free() -> None:
    reading = {"fetch_an_image", "render_an_uploaded_image", "describe_an_image"}

    assert without_a_key("none") == {}
    signed = without_a_key("signed")
    assert signed.keys() >= reading
    assert all(others == [SIGNATURE] for others in signed.values())
    # A public preset stands in place of operations: it opens the routes that take them.
    preset = {"render_an_uploaded_image", "render_an_image_of_a_source"}
    assert without_a_key("presets") == {
        name: [NOTHING, SIGNATURE] if name in preset else [SIGNATURE] for name in signed
    }


def test_answers_of_sources_that_fail_say_when_to_ask_again() -> None:
    answers = ROUTES["render_an_image_of_a_source"]["responses"]
    assert "Retry-After" in answers["502"]["headers"]
    assert "Retry-After" in answers["504"]["headers"]
    assert "Retry-After" not in ROUTES["list_the_presets"]["responses"]["504"]["headers"]


def test_keys_and_sessions_are_described() -> None:
    schemes = document()["components"]["securitySchemes"]

    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", COOKIE)


def test_a_header_that_means_the_same_everywhere_is_described_once() -> None:
    assert json.dumps(document()).count("Seconds after which to ask again") == 1

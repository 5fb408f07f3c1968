"""The reference of HTTP: every route, parameter, status, code and model of the OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import Mock

import pytest

from docs.generate.http import pages as http
from services.gateway.middleware.correlation import HEADER as CORRELATION_ID
from services.gateway.routes.live import POLICY_VIOLATION, TRY_AGAIN_LATER
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from tests.gateway.documented import document

DOCUMENT = document()
PAGES = http.pages()
OVERVIEW = PAGES[http.OVERVIEW_PATH]

HEADING = re.compile(r"^## ", re.MULTILINE)

ROUTES = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def section(method: str, path: str) -> str:
    """Return the one section that describes a route."""
    [found] = [
        part
        for page in PAGES.values()
        for part in HEADING.split(page)
        if f"```text\n{method} {path}\n```" in part
    ]
    return found


@pytest.mark.parametrize(
    ("method", "path", "operation"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES]
)
def test_a_route_has_a_section_with_all_that_it_takes_and_answers(
    method: str, path: str, operation: Mapping[str, Any]
) -> None:
    found = section(method, path)

    assert f"| `{method}` | `{path}` |" in OVERVIEW
    assert operation["description"].splitlines()[0] in found
    for parameter in operation.get("parameters", ()):
        assert parameter["name"] == CORRELATION_ID or f"`{parameter['name']}`" in found
    for media_type in operation.get("requestBody", {}).get("content", ()):
        assert f"`{media_type}`" in found
    for status, answer in operation["responses"].items():
        assert f"\n| {status} | " in found
        for name in (*answer.get("x-codes", ()), *headers_of(answer)):
            assert f"`{name}`" in found


def headers_of(answer: Mapping[str, Any]) -> Iterator[str]:
    # Headers of errors, and one of all answers, are the same everywhere; the overview names them.
    own = () if "x-codes" in answer else answer.get("headers", ())
    return (name for name in own if name != CORRELATION_ID)


def test_every_model_of_a_body_is_described_once() -> None:
    described = re.findall(r"^### ([A-Z]\w+)$", "\n".join(PAGES.values()), re.MULTILINE)
    linked = set(re.findall(r"\[([A-Z]\w+)\]\((?:\w+\.md)?#\w+\)", "\n".join(PAGES.values())))

    assert len(set(described)) == len(described)
    assert linked <= set(described)
    assert {"Job", "NewJob", "JobEvent", "WatchRequest", "Inspected", "WebhookPayload"} <= linked


def test_the_page_of_events_has_the_codes_that_close_a_websocket() -> None:
    for code in (POLICY_VIOLATION, TRY_AGAIN_LATER):
        assert f"\n| {code} | " in PAGES["reference/http/events.md"]


def test_the_page_of_the_system_has_every_address_outside_of_the_openapi_document() -> None:
    shown = PAGES["reference/http/system.md"]
    routes = (*health_routes(Mock(), Mock()), metrics_route(Mock(), Mock(), Mock(), Mock()))

    for path, _ in (*routes, *documentation_routes()):
        if not path.startswith("/asyncapi/"):  # parts of the page
            assert f"`{path}`" in shown

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

HEADING = re.compile(r"^## ", re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The pages by their paths. Made here: every test process imports this module."""
    return http.pages()


def section(pages: Mapping[str, str], method: str, path: str) -> str:
    """Return the one section that describes a route."""
    [found] = [
        part
        for page in pages.values()
        for part in HEADING.split(page)
        if f"```text\n{method} {path}\n```" in part
    ]
    return found


def test_a_route_has_a_section_with_all_that_it_takes_and_answers(pages: dict[str, str]) -> None:
    routes = [
        (method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    for method, path, operation in routes:
        found = section(pages, method, path)
        assert f"| `{method}` | `{path}` |" in pages[http.OVERVIEW_PATH]
        missing = [text for text in texts_of(operation) if text not in found]
        assert not missing, f"{method} {path}"


def texts_of(operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the section of a route has to say."""
    yield operation["description"].splitlines()[0]
    for parameter in operation.get("parameters", ()):
        if parameter["name"] != CORRELATION_ID:
            yield f"`{parameter['name']}`"
    for media_type in operation.get("requestBody", {}).get("content", ()):
        yield f"`{media_type}`"
    for status, answer in operation["responses"].items():
        yield f"\n| {status} | "
        for name in (*answer.get("x-codes", ()), *headers_of(answer)):
            yield f"`{name}`"


def headers_of(answer: Mapping[str, Any]) -> Iterator[str]:
    # Headers of errors, and one of all answers, are the same everywhere; the overview names them.
    own = () if "x-codes" in answer else answer.get("headers", ())
    return (name for name in own if name != CORRELATION_ID)


def test_every_model_of_a_body_is_described_once(pages: dict[str, str]) -> None:
    described = re.findall(r"^### ([A-Z]\w+)$", "\n".join(pages.values()), re.MULTILINE)
    linked = set(re.findall(r"\[([A-Z]\w+)\]\((?:\w+\.md)?#\w+\)", "\n".join(pages.values())))

    assert len(set(described)) == len(described)
    assert linked <= set(described)
    assert {"Job", "NewJob", "JobEvent", "WatchRequest", "Inspected", "WebhookPayload"} <= linked


def test_the_page_of_events_has_the_codes_that_close_a_websocket(pages: dict[str, str]) -> None:
    for code in (POLICY_VIOLATION, TRY_AGAIN_LATER):
        assert f"\n| {code} | " in pages["reference/http/events.md"]


def test_the_page_of_the_system_has_every_address_outside_of_the_openapi_document(
    pages: dict[str, str],
) -> None:
    shown = pages["reference/http/system.md"]
    routes = (*health_routes(Mock(), Mock()), metrics_route(Mock(), Mock(), Mock(), Mock()))

    for path, _ in (*routes, *documentation_routes()):
        if not path.startswith("/asyncapi/"):  # parts of the page
            assert f"`{path}`" in shown

"""The table of rules has each route of the application, and finds the rule that belongs to it."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Match, Route

from contracts.access.keys import KeyScope
from services.gateway.access.rules import RULES, WEBSOCKET, Rules, check_routes, paths_of
from services.gateway.http_application import create_http
from services.gateway.site_lists import PublicPage
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route

CELLS = [(path, method) for path, methods in RULES.items() for method in methods]
IDS = {"image_id": "0" * 64, "key_id": "a" * 10, "index": "0", "path": "a/b.js"}


@cache
def routes() -> tuple[BaseRoute, ...]:
    """Return all routes of a gateway, in the order in which they are tried."""
    other = (
        *health_routes(Mock(), Mock()),
        metrics_route(Mock(), Mock(), Mock(), Mock()),
        *documentation_routes(),
    )
    added = (Route(path, Mock(), methods=["GET"]) for path, _ in other)
    return (*create_http(Mock()).routes, *added)


def filled(path: str, ids: Mapping[str, str] = IDS) -> str:
    """Return a path with ids in place of its parameters; other parameters are 32 zeros."""
    return re.sub(r"{(\w+)(:path)?}", lambda match: ids.get(match[1], "0" * 32), path)


def scope_of(path: str, method: str) -> dict[str, Any]:
    """Return the scope of a request to an example of a path."""
    kind = "websocket" if method == WEBSOCKET else "http"
    return {
        "type": kind,
        "method": method,
        "path": filled(path),
        "headers": [],
        "query_string": b"",
    }


def matching(scope: dict[str, Any], among: tuple[BaseRoute, ...]) -> Iterator[str]:
    """Yield the path of each route that answers a request."""
    for route in among:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from matching(scope, tuple(included.routes))
        elif route.matches(scope)[0] is Match.FULL:
            [(path, _)] = paths_of([route])
            yield path


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    check_routes(routes())

    found = {(path, method) for path, methods in paths_of(routes()) for method in methods}
    # Without its files, which an installation may lack, the guide is a route and not a folder.
    assert found == set(CELLS)


def test_a_route_without_a_rule_fails_the_start() -> None:
    app = FastAPI(openapi_url=None)

    @app.get("/v1/images/{image_id}/secret")
    async def secret() -> None:
        raise AssertionError

    with pytest.raises(LookupError, match=r"GET /v1/images/\{image_id\}/secret has no rule"):
        check_routes(app.routes)


@pytest.mark.parametrize(("path", "method"), CELLS)
def test_the_rule_of_a_request_is_that_of_the_route_that_answers_it(path: str, method: str) -> None:
    scope = scope_of(path, method)

    assert next(matching(scope, routes())) == path
    assert Rules(()).find(scope) == RULES[path][method]


def test_head_is_a_get_and_a_method_that_a_path_lacks_needs_any_key() -> None:
    rules = Rules(())
    path = "/v1/images/{image_id}"

    assert rules.find(scope_of(path, "HEAD")) == RULES[path]["GET"]
    other = rules.find(scope_of(path, "POST"))
    assert other is not None
    assert not other.open


@pytest.mark.parametrize(
    "path",
    ["", "*", "//", "/v1", "/v1/", "/v1/jobs/", "/v1//jobs", "/v1/jobs/1/2", "/V1/jobs", "/webs"],
)
def test_nothing_else_has_a_rule(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path}

    assert Rules(PublicPage).find(scope) is None


def test_the_setting_opens_pages() -> None:
    metrics, docs = scope_of("/metrics", "GET"), scope_of("/docs", "GET")

    closed = Rules(()).find(metrics)
    assert closed is not None
    assert closed.scope is KeyScope.ADMIN
    for page, scope in ((PublicPage.METRICS, metrics), (PublicPage.DOCS, docs)):
        opened = Rules([page]).find(scope)
        assert opened is not None
        assert opened.open

"""The OpenAPI document is made at its first use; queries are checked without it."""

from collections.abc import Iterable, Iterator
from unittest.mock import Mock, patch

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from services.gateway.access.rules import methods_of
from services.gateway.http_application import create_http


def test_the_document_is_made_once_and_not_by_the_start() -> None:
    http = create_http(Mock())

    assert http.openapi_schema is None
    assert http.openapi() is http.openapi()


def test_a_document_that_could_not_be_completed_is_made_anew() -> None:
    http, expected = create_http(Mock()), create_http(Mock()).openapi()

    def fail(document: object) -> None:
        raise KeyError

    with patch.object(http, "_describe", fail):
        for _ in range(2):
            with pytest.raises(KeyError):
                http.openapi()

    assert http.openapi() == expected


def test_a_route_knows_the_query_parameters_of_the_document_in_its_order() -> None:
    http = create_http(Mock())
    paths = http.openapi()["paths"]
    compared = 0

    for route in api_routes(http.routes):
        if route.include_in_schema:
            for method in route.methods or ():
                documented = paths[route.path][method.lower()].get("parameters", ())
                in_query = [one["name"] for one in documented if one["in"] == "query"]
                assert list(http.query_parameters(route)) == in_query, route.path
                compared += len(in_query)

    assert compared > 60


def test_the_methods_of_the_routes_are_those_of_the_document() -> None:
    http = create_http(Mock())
    documented = {
        method.upper() for methods in http.openapi()["paths"].values() for method in methods
    }

    assert methods_of(http.routes) == {"HEAD", *documented}


def api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """Yield the routes of FastAPI, those of included routers too."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from api_routes(included.routes)
        elif isinstance(route, APIRoute):
            yield route

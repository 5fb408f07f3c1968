"""The form of every error response: a complete problem document that the route documents."""

import re
from functools import cache
from typing import Any
from unittest.mock import Mock

import httpx

from services.gateway.app import create_http

FIELDS = {"type", "title", "status", "detail", "code", "correlation_id"}


def assert_problem(answer: httpx.Response, status: int, code: str) -> str:
    """Check that a response is a complete, documented problem document; return its detail."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    problem = answer.json()
    assert set(problem) == FIELDS
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"/guide/errors/{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 0
    for operation in operations_at(answer):
        assert code in operation["responses"][str(status)]["x-codes"]
    return str(problem["detail"])


def operations_at(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the entry of a response's route in the OpenAPI document; empty without one."""
    try:
        request = answer.request
    except RuntimeError:
        return []  # read from a socket
    return [
        methods[request.method.lower()]
        for path, methods in document()["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path)
        and request.method.lower() in methods
    ]


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return create_http(Mock()).openapi()

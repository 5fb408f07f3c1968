"""The OpenAPI document as a claim: each answer has a status, headers and a code that it names."""

import re
from functools import cache
from typing import Any
from unittest.mock import Mock

import httpx

from services.gateway.http.openapi import RESPONSE_HEADERS
from services.gateway.http_application import create_http


def assert_documented(answer: httpx.Response) -> None:
    """Check status, headers and code of an answer from a documented route."""
    responses = responses_at(answer)
    if responses is None:
        return
    documented = responses.get(str(answer.status_code))
    assert documented, f"{answer.request.method} {answer.url.path} names no {answer.status_code}"
    present = {name for name in RESPONSE_HEADERS if name in answer.headers}
    assert present <= set(documented.get("headers", ())), answer.url.path


def documented_codes(answer: httpx.Response) -> list[str] | None:
    """Return the codes that a route names for the status of an answer; None without a route."""
    responses = responses_at(answer)
    return None if responses is None else responses[str(answer.status_code)]["x-codes"]


def responses_at(answer: httpx.Response) -> dict[str, Any] | None:
    """Return the documented responses of a route; None if the document lacks it."""
    try:
        request = answer.request
    except RuntimeError:
        return None  # read from a socket
    for path, methods in document()["paths"].items():
        operation = methods.get(request.method.replace("HEAD", "GET").lower())
        if operation and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path):
            responses: dict[str, Any] = operation["responses"]
            return responses
    return None


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return create_http(Mock()).openapi()

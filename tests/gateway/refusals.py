"""The form of every error response: a complete problem document that the route documents."""

import httpx

from tests.gateway.documented import documented_codes

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
    codes = documented_codes(answer)
    assert codes is None or code in codes
    return str(problem["detail"])

"""Submissions go past the parts in front of the routes if the body may come with the head."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.routes.direct.plain_submission import SubmissionsWithBodies


async def _never(request: Request, body: bytes) -> Response:
    raise AssertionError("no request is answered here")


def _submission(headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    fields = {"content-type": "application/json", "content-length": "100"} | headers
    lines = [(name.encode(), value.encode()) for name, value in fields.items() if value]
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "query_string": b""}
    return scope | {"headers": lines} | changes


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"content-length": "65536"}, True),
        ({"content-length": "65537"}, False),
        ({"content-length": ""}, False),
        ({"content-length": "+1"}, False),
        ({"content-length": "", "transfer-encoding": "chunked"}, False),
        ({"content-encoding": "gzip"}, False),
        ({"expect": "100-continue"}, False),
        ({"content-type": "Application/JSON; charset=utf-8"}, True),
        ({"content-type": "image/png"}, False),
        ({"content-type": ""}, False),
    ],
)
def test_the_head_says_whether_a_submission_is_small_and_plain(
    headers: dict[str, str], taken: bool
) -> None:
    assert SubmissionsWithBodies(FastAPI(), _never).takes(_submission(headers)) is taken


@pytest.mark.parametrize(
    "change",
    [{"method": "GET"}, {"path": "/v1/jobs/"}, {"query_string": b"op=flip"}, {"type": "websocket"}],
)
def test_other_requests_are_none_of_these(change: dict[str, Any]) -> None:
    assert not SubmissionsWithBodies(FastAPI(), _never).takes(_submission({}, **change))

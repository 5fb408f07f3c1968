"""A running system under one kind of request, and the check of its answers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage

from bench.imaging import fidelity
from bench.imaging.cases import Case
from bench.imaging.load import Request, fetch

TIMEOUT = 30.0  # seconds


class WrongAnswer(Exception):
    """An answer is not the one that was asked for."""


@dataclass(frozen=True)
class Question:
    """A path, and the picture that is the answer to it."""

    path: str
    case: Case


@dataclass(frozen=True)
class Target:
    """Requests to one system. `questions` is endless if no two requests may be the same."""

    port: int
    processes: Mapping[str, int]
    """Process ids by name; descendants belong to their root."""
    questions: Iterator[Question]
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    told: Mapping[str, str] = field(default_factory=dict)
    """Header fields that each answer has."""
    new_heads: bool = False
    """True if each request has a header field that no other has."""


@dataclass(frozen=True)
class Answer:
    """A response with its body."""

    status: int
    headers: HTTPMessage
    body: bytes


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask once, over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def upload(port: int, photo: bytes) -> str:
    """Upload a photograph to a gateway; return the path of the image. Raises UnexpectedStatus."""
    sent = fetch(port, Request("POST", "/v1/images", photo, {"Content-Type": "image/jpeg"}))
    return f"/v1/images/{json.loads(sent)['id']}"


def check(target: Target) -> int:
    """Ask the next question and compare the answer; return the bytes of its body.

    Raises WrongAnswer, and WrongResult for another picture.
    """
    question = next(target.questions)
    answer = get(target.port, question.path, target.headers)
    if answer.status != target.status:
        raise WrongAnswer(f"status {answer.status} instead of {target.status}")
    for name, value in target.told.items():
        if answer.headers[name] != value:
            raise WrongAnswer(f"{name}: {answer.headers[name]} instead of {value}")
    if answer.status == 304:
        if answer.body:
            raise WrongAnswer(f"a 304 with {len(answer.body)} bytes")
        return 0
    media_type = f"image/{question.case.format}"
    if answer.headers["Content-Type"] != media_type:
        raise WrongAnswer(f"{answer.headers['Content-Type']} instead of {media_type}")
    if int(answer.headers["Content-Length"] or -1) != len(answer.body):
        raise WrongAnswer(f"{len(answer.body)} bytes, announced {answer.headers['Content-Length']}")
    fidelity.check(answer.body, question.case)
    return len(answer.body)

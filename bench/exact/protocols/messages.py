"""httplint as the judge of every answer of the gateway: header fields, caching, status codes."""

import gzip
import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx

from bench.exact.judges import Case, Judge
from bench.exact.needs import Python
from bench.exact.protocols.suite import client_of, picture, running, submit

_PYTHON = Python("protocols")
_ID = re.compile("[0-9a-f]{64}|[0-9a-f]{32}")
_NOWHERE = "0" * 64
_NO_JOB = "0" * 32

Ask = tuple[str, str, dict[str, str], bytes | None]


def _asks(client: httpx.Client) -> Iterator[Ask]:
    """Yield requests to every route, to its good and its bad answers."""
    image = client.post("/v1/images", content=picture()).headers["location"]
    render = f"{image}/render?op=grayscale&format=png"
    tag = client.get(render).headers["etag"]
    one, two = (submit(client, image.rpartition("/")[2], variants=count) for count in (1, 2))
    for job in (one, two):
        while client.get(f"/v1/jobs/{job}").status_code == HTTPStatus.ACCEPTED:
            pass
    readable = (
        *(image, f"{image}/info", render, f"{render}&format=webp", f"{image}/render?format=auto"),
        *(f"/v1/jobs/{one}", f"/v1/jobs/{one}/results", f"/v1/jobs/{one}/results/0"),
        *(f"/v1/jobs/{two}", f"/v1/jobs/{two}/results", f"/v1/jobs/{one}/events", "/v1/jobs"),
        *("/v1/dead-letters", "/v1/system", "/", "/web/app.js", "/web/style.css", "/openapi.json"),
        *("/docs", "/asyncapi", "/asyncapi.yaml", "/asyncapi/page.css", "/metrics", "/guide"),
        *("/health/live", "/health/ready", "/nothing", "/web/nothing", f"/v1/images/{_NOWHERE}"),
        *(f"/v1/images/{_NOWHERE}/info", f"/v1/jobs/{_NO_JOB}", f"/v1/jobs/{_NO_JOB}/results/0"),
        *(f"/v1/dead-letters/{_NO_JOB}/raw", "/v1/jobs?wrong=1", f"{image}/render?op=wrong"),
    )
    for path in readable:
        yield "GET", path, {}, None
        yield "HEAD", path, {}, None
    for fields in (
        {"If-None-Match": tag},
        {"If-Match": '"other"'},
        {"Range": "bytes=0-9"},
        {"Range": "bytes=9999999-"},
        {"Cache-Control": "no-cache"},
        {"Accept": "text/html"},
    ):
        yield "GET", render, fields, None
    for path in ("/v1/images", "/v1/render?op=grayscale", "/v1/jobs?op=grayscale"):
        yield "POST", path, {}, picture()
        yield "POST", path, {}, b"no image" if path != "/v1/jobs?op=grayscale" else b""
        yield "POST", path, {"Content-Encoding": "gzip"}, gzip.compress(picture())
        yield "PUT", path, {}, b""
    yield "POST", "/v1/render?op=grayscale", {"Prefer": "respond-async"}, picture()
    yield "POST", "/v1/render?op=grayscale", {"Prefer": "respond-async, wait=10"}, picture()
    yield "POST", "/v1/jobs?op=grayscale", {"Prefer": "wait=10"}, picture()
    yield "POST", "/v1/jobs", {"Content-Type": "application/xml"}, b"<job/>"
    yield "POST", "/v1/jobs", {"Content-Type": "application/json"}, b"{}"
    yield "DELETE", f"/v1/jobs/{one}", {}, None
    yield "DELETE", f"/v1/dead-letters/{_NO_JOB}", {}, None
    yield "POST", f"/v1/dead-letters/{_NO_JOB}/requeue", {}, None
    yield "DELETE", "/v1/images", {"Origin": "https://other.example"}, None


def _exchange(answer: httpx.Response) -> dict[str, Any]:
    request = answer.request
    sent, received = (
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in one.headers.raw]
        for one in (request, answer)
    )
    return {
        "method": request.method,
        "target": str(request.url),
        "request": sent,
        "content": b64encode(request.content).decode(),
        "status": str(answer.status_code),
        "phrase": answer.reason_phrase,
        "response": received,
        "body": b64encode(answer.content).decode(),
    }


def _exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    with running() as gateway, client_of(gateway) as client:
        for method, path, fields, body in _asks(client):
            answer = client.request(method, path, headers=fields, content=body)
            shown = ", ".join(f"{name}: {value}" for name, value in fields.items())
            name = f"{method} {path} {answer.status_code} {shown}".strip()
            yield _ID.sub(_named, name), _exchange(answer)


def _named(found: re.Match[str]) -> str:
    """Return a word for an id, so that a case has the same name in each run."""
    if not found[0].strip("0"):
        return "none"
    return "image" if len(found[0]) == len(_NOWHERE) else "job"


def _cases() -> Iterator[Case]:
    exchanges = list(_exchanges())
    done = subprocess.run(
        [_PYTHON.interpreter, "-m", "bench.exact.protocols.apart.lint"],
        input="".join(json.dumps(exchange) + "\n" for _, exchange in exchanges),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for (name, _), line in zip(exchanges, done.stdout.splitlines(), strict=True):
        complaints = json.loads(line)
        for complaint in complaints:
            yield Case(f"{name}: {complaint}", complaint)
        if not complaints:
            yield Case(name)


JUDGES = (
    Judge(
        "httplint",
        "answers over HTTP, by httplint's rules: the answers",
        run=_cases,
        needs=(_PYTHON,),
    ),
)

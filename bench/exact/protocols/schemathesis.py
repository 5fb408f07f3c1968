"""Schemathesis: requests generated from the OpenAPI document; none may find a fault of the gateway.

What the document says of other answers is not judged here.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bench.exact.judges import Case, Judge
from bench.exact.needs import Python
from bench.exact.protocols.suite import client_of, picture, running, submit

_PYTHON = Python("protocols")
_OPTIONS = (
    *("--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"),
    *("--max-examples", "40", "--seed", "1", "--workers", "1", "--continue-on-failure"),
    *("--suppress-health-check", "all", "--report", "ndjson"),
)
_PROBLEM = ["application/problem+json"]


def _cases() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder, running() as gateway:
        with client_of(gateway) as client:
            submit(client, client.post("/v1/images", content=picture()).json()["id"], variants=2)
        report = Path(folder, "report.ndjson")
        program = str(_PYTHON.interpreter.with_name("schemathesis"))
        command = [program, "run", f"{gateway.url}/openapi.json", *_OPTIONS]
        # Its exit code is 1 after any 5xx; `_fault` knows which ones are faults.
        subprocess.run(
            [*command, "--report-ndjson-path", str(report)],
            check=False,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        yield from _routes(report)
        count = gateway.output().count("Traceback")
        found = f"The gateway's log has {count} tracebacks." if count else None
        yield Case("the log of the gateway", found)


def _routes(report: Path) -> Iterator[Case]:
    """Yield a case for each route and phase of a report."""
    faults: dict[str, list[str]] = {}
    for line in report.read_text("utf-8").splitlines():
        ended = json.loads(line).get("ScenarioFinished")
        if ended is not None:
            recorder = ended["recorder"]
            found = faults.setdefault(f"{recorder['label']}, {ended['phase']}", [])
            found += filter(None, map(_fault, recorder.get("interactions", {}).values()))
    for name, found in faults.items():
        yield Case(name, f"{len(found)} faults, the first: {found[0]}." if found else None)


def _fault(interaction: dict[str, Any]) -> str | None:
    """Describe an answer of 500, one of 501 or more that is no problem document, and none at all.

    Of the others, 504 is right for a `timeout` of a millisecond, and 503 for a full queue.
    """
    response, uri = interaction["response"], interaction["request"]["uri"]
    if response is None:
        return f"no answer to {uri}"
    status, types = response["status_code"], response["headers"].get("content-type", [])
    if status == HTTPStatus.INTERNAL_SERVER_ERROR or (status > 500 and types != _PROBLEM):
        return f"{status} for {uri}"
    return None


JUDGES = (
    Judge(
        "schemathesis",
        "server errors and tracebacks, by Schemathesis from /openapi.json: routes and phases",
        run=_cases,
        needs=(_PYTHON,),
    ),
)

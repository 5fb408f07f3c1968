"""Schemathesis: requests made from the OpenAPI document, with every check of their answers.

The suite asks for keys. A failed check is a difference unless `EXPLAINED` says why it is none.
"""

import json
import re
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.exact.judges import Case, Judge
from bench.exact.needs import Python
from bench.exact.protocols.suite import KEY, client_of, picture, running, submit

_PYTHON = Python("protocols")
_OPTIONS = (
    *("--checks", "all", "--seed", "1", "--workers", "1", "--continue-on-failure"),
    *("--suppress-health-check", "all", "--report", "ndjson"),
    *("--header", f"Authorization: Bearer {KEY}"),
)
_LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "40")
_SHORT = ("--phases", "examples,fuzzing", "--max-examples", "3")

_ACCEPTED = "positive_data_acceptance"
"""The check that a request is accepted if the document allows it."""


@dataclass(frozen=True)
class Explained:
    """Failures of a check that are right: those with this code, and a detail like this."""

    check: str
    code: str
    why: str
    detail: str = ""


EXPLAINED = (
    Explained(_ACCEPTED, "invalid_operation", "limits between fields: lossless with jpeg"),
    Explained(_ACCEPTED, "image_unreadable", "no schema says which bytes are an image"),
    Explained(_ACCEPTED, "unsupported_format", "no schema says which bytes are an image"),
    Explained(_ACCEPTED, "precondition_failed", "If-Match is well-formed, and names another tag"),
    Explained(_ACCEPTED, "key_reused", "two requests were made with one Idempotency-Key"),
    Explained(_ACCEPTED, "gone", "an image was deleted between two requests"),
    Explained(_ACCEPTED, "invalid_request", "a header counts for jobs alone", "^X-Submitter may"),
    Explained(_ACCEPTED, "invalid_request", "likewise", "^Idempotency-Key is"),
    Explained(_ACCEPTED, "invalid_request", "the range is beyond the end", r"There are \d+ bytes"),
    Explained(_ACCEPTED, "invalid_request", "a source has one of two fields", "^source: name the"),
    Explained(_ACCEPTED, "invalid_request", "the suite sends nothing out", "sends no webhooks"),
    Explained(_ACCEPTED, "invalid_request", "a record names its own key", "of another key than"),
    Explained(_ACCEPTED, "invalid_request", "a key's old secret has an end", "belong together"),
    Explained(_ACCEPTED, "invalid_request", "no schema says what is printable", "of printable"),
    Explained(_ACCEPTED, "invalid_request", "src is an address or a path", "Name an image as"),
    Explained("not_a_server_error", "deadline_exceeded", "a timeout of a part of a microsecond"),
)
"""Failures that are no faults, each with its reason."""


def _cases(options: tuple[str, ...]) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder, running(with_keys=True) as gateway:
        with client_of(gateway, key=KEY) as client:
            submit(client, client.post("/v1/images", content=picture()).json()["id"], variants=2)
        report = Path(folder, "report.ndjson")
        program = str(_PYTHON.interpreter.with_name("schemathesis"))
        command = [program, "run", f"{gateway.url}/openapi.json", *_OPTIONS, *options]
        # Its exit code is 1 after any failure; `EXPLAINED` knows which ones are faults.
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
            found += _faults(recorder)
    for name, found in faults.items():
        yield Case(name, f"{len(found)} faults, the first: {found[0]}." if found else None)


def _faults(recorder: Mapping[str, Any]) -> Iterator[str]:
    """Yield the failed checks of a scenario that nothing explains, and requests without answer."""
    interactions = recorder.get("interactions", {})
    for name, checks in recorder.get("checks", {}).items():
        interaction = interactions[name]
        request, response = interaction["request"], interaction["response"]
        asked = f"{request['method']} {request['uri'][:200]}"
        if response is None:
            yield f"no answer to {asked}"
            continue
        code, detail = _problem_in(response)
        for check in checks:
            if check["status"] == "success" or _is_explained(check["name"], code, detail):
                continue
            reason = detail or " ".join(check["failure_info"]["failure"]["message"].split())
            yield f"{check['name']} after {asked}: {response['status_code']}, {reason[:300]}"


def _problem_in(response: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and detail of a problem document; two empty texts for another answer."""
    try:
        problem = json.loads(b64decode(response["content"]["$base64"]))
        return problem["code"], problem["detail"]
    except (ValueError, KeyError, TypeError):
        return "", ""


def _is_explained(check: str, code: str, detail: str) -> bool:
    return any(
        (check, code) == (one.check, one.code) and re.search(one.detail, detail)
        for one in EXPLAINED
    )


JUDGES = (
    Judge(
        "schemathesis",
        "answers to requests from openapi.json, by every check of Schemathesis: routes and phases",
        run=lambda: _cases(_LONG),
        quick=lambda: _cases(_SHORT),
        needs=(_PYTHON,),
    ),
)

"""Standard Webhooks' library for JavaScript as the judge of deliveries, in a receiver's place."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from bench.exact.judges import Case, Judge
from bench.exact.needs import Node
from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import ImageUnreadable
from contracts.imaging import Blob
from contracts.jobs import Job, JobResult, JobState
from contracts.operations.pipeline import Pipeline
from services.gateway.webhooks.sender import WebhookSender
from tests.gateway.receiver import Received, receiver

_NODE = Node("protocols")
_SECRET, _NEXT, _OTHER = (
    "whsec_" + base64.b64encode(bytes(range(first, first + 32))).decode() for first in (0, 100, 200)
)
_BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)
_NOW = datetime.now(UTC)
_JOB = Job(
    id="f" * 32,
    state=JobState.SUCCEEDED,
    source=_BLOB,
    variants=(Pipeline(),),
    results=(JobResult(blob=_BLOB),),
    submitter="agency",
    created_at=_NOW,
    updated_at=_NOW,
)
_PROBLEM = ImageUnreadable('Größe, "图像" \\ \u2028 😀').failure()
_ENDS = {
    "a success": _JOB,
    "a failure, with signs beyond ASCII": _JOB.model_copy(
        update={
            "state": JobState.FAILED,
            "problem": _PROBLEM,
            "results": (JobResult(problem=_PROBLEM),),
        }
    ),
    "a cancelled job": _JOB.model_copy(update={"state": JobState.CANCELLED, "results": ()}),
    "64 variants": _JOB.model_copy(
        update={"variants": (Pipeline(),) * 64, "results": (JobResult(blob=_BLOB),) * 64}
    ),
}


async def _deliveries() -> list[Received]:
    """Send each end to a receiver, as the gateway does, and return what has arrived."""
    sender = WebhookSender([_NEXT, _SECRET], timeout=10, allow_private=True)
    async with receiver() as listening:
        for job in _ENDS.values():
            await sender.send(DEFAULT_PROJECT, listening.url, job)
    await sender.close()
    return listening.requests


def _refusals(secret: str, requests: list[Received]) -> list[str | None]:
    """Return why the library refuses each request; None for one that it accepts."""
    sent = [{"headers": request.headers, "body": request.body} for request in requests]
    done = subprocess.run(
        ["node", _NODE.script("webhooks.mjs")],
        input=json.dumps({"secret": secret, "requests": sent}),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _cases() -> Iterator[Case]:
    requests = asyncio.run(_deliveries())
    for which, secret in (("the old secret", _SECRET), ("the new secret", _NEXT)):
        for name, refusal in zip(_ENDS, _refusals(secret, requests), strict=True):
            difference = f"It is refused: {refusal}." if refusal else None
            yield Case(f"{name}, {which}", difference)
    changed = [replace(request, body=request.body + " ") for request in requests]
    for which, refused in (
        ("another secret", _refusals(_OTHER, requests)),
        ("a changed body", _refusals(_SECRET, changed)),
    ):
        for name, refusal in zip(_ENDS, refused, strict=True):
            yield Case(f"{name}, {which}", None if refusal else "It is accepted.")


JUDGES = (
    Judge(
        "standard-webhooks",
        "webhooks, verified by Standard Webhooks' own library for JavaScript: the deliveries",
        run=_cases,
        quick=_cases,
        needs=(_NODE,),
    ),
)

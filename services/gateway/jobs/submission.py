"""Accepting a job: on whose behalf, under which key, and what its submitter is told."""

import hashlib
import re
from typing import Annotated

from fastapi import Path, Request, Response

from contracts.errors import InvalidRequest, NotFound
from contracts.imaging import Blob
from contracts.jobs import OPEN_STATES, Job, JobState, Variants, Webhook
from contracts.message import Message
from services.gateway.dependencies import Collaborators
from services.gateway.http.prefer import Preference
from services.runtime.jobs.store import Key

JobIdHere = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The job's id.")]

_SUBMITTER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NO_SUBMITTER = re.compile(r"[^A-Za-z0-9._:-]")
_KEY = re.compile(r'"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255}"|[A-Za-z0-9._~:-]{1,255}')


async def accept(
    request: Request,
    here: Collaborators,
    source: Blob,
    variants: Variants,
    webhook: Webhook | None = None,
) -> Job:
    """A new job, or the one that the request's idempotency key stands for.

    The source is held, or was kept for `lifetime`. Raises NotFound for a watermark that is not
    there, InvalidRequest for a malformed key or submitter, KeyReused, Overloaded.
    """
    await _hold_others(here, variants)
    submitter = _submitter(request)
    asked = hashlib.sha256(source.key.encode())
    for part in (*variants, webhook):
        asked.update(part.model_dump_json().encode() if part else b"-")
    key = _key(request, submitter, asked.hexdigest())
    return await here.jobs.submit(source, variants, submitter=submitter, webhook=webhook, key=key)


def lifetime(here: Collaborators) -> int:
    """Seconds that an image lives that a job needs."""
    return max(here.settings.image_ttl, here.settings.job_ttl)


async def hold(here: Collaborators, key: str, *, role: str = "source") -> Blob:
    """Let an image live as long as a job that needs it may. Raises NotFound."""
    found = await here.images.find(key, ttl=lifetime(here))
    if found is None:
        raise NotFound(
            f"The image {key} that the {role} names is not here (any more); upload it again."
        )
    return found.blob


async def _hold_others(here: Collaborators, variants: Variants) -> None:
    for key in {key for one in variants for key in one.images}:
        await hold(here, key, role="watermark")


async def again(job_id: str, here: Collaborators) -> Job:
    """A dead letter, tried again. Raises NotFound where it, or an image of it, is gone."""
    job = await here.jobs.find(job_id)
    await hold(here, job.source.key)
    await _hold_others(here, job.variants)
    return await here.jobs.requeue(job_id)


async def ended(job: Job, here: Collaborators, preference: Preference) -> Job | None:
    """The job once it has ended, if it does while its submitter is willing to wait."""
    if preference.wait is None or not await here.live.ended(job.id, within=preference.wait):
        return None
    return await here.jobs.find(job.id)


async def pending(job: Job, here: Collaborators, headers: dict[str, str] | None = None) -> Response:
    """202: where the job is looked up, and when that makes sense."""
    wait = (await here.jobs.recent_outlook()).wait if job.state is JobState.QUEUED else 1
    where = {"Location": f"/v1/jobs/{job.id}", "Retry-After": str(wait)}
    return json_response(job, 202, {**where, **(headers or {})})


async def standing(job: Job, here: Collaborators, *, found: int) -> Response:
    """How a job stands: 202 while it is open, `found` with its result's place, or 200."""
    if job.state in OPEN_STATES:
        return await pending(job, here)
    if job.state is not JobState.SUCCEEDED:
        return json_response(job)
    results = f"/v1/jobs/{job.id}/results"
    single = len(job.variants) == 1
    return json_response(job, found, {"Location": f"{results}/0" if single else results})


def json_response(
    body: Message, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A contract as JSON, which nobody keeps."""
    return Response(
        body.model_dump_json(),
        status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _submitter(request: Request) -> str:
    name = request.headers.get("x-submitter")
    if name is None:
        host = request.client.host if request.client else "unknown"
        return _NO_SUBMITTER.sub("-", host)[:64] or "unknown"
    if not _SUBMITTER.fullmatch(name):
        raise InvalidRequest("X-Submitter may have 64 letters, digits and ._:- at most.")
    return name


def _key(request: Request, submitter: str, fingerprint: str) -> Key | None:
    """The request's idempotency key (an IETF draft), in its submitter's scope."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest('Idempotency-Key is a string of 255 characters at most: "like-this".')
    scoped = submitter + "\n" + key.strip('"')
    return Key(hashlib.sha256(scoped.encode()).hexdigest(), fingerprint)

"""Submit a job: find its submitter and its idempotency key, and store it."""

import hashlib
import re
from secrets import token_hex

from fastapi import Request

from contracts.errors import InvalidRequest, ServiceError
from contracts.fields import BlobKey
from contracts.jobs import Job, Variants, Webhook
from services.gateway.access.caller import Caller, caller_of
from services.gateway.dependencies import Dependencies
from services.runtime.jobs.store import IdempotencyKey

_SUBMITTER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NOT_IN_SUBMITTER = re.compile(r"[^A-Za-z0-9._:-]")
_KEY = re.compile(r'"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255}"|[A-Za-z0-9._~:-]{1,255}')


async def submit(
    request: Request,
    deps: Dependencies,
    image: BlobKey,
    variants: Variants,
    webhook: Webhook | None = None,
    timeout: float | None = None,
    label: str = "",
    named: str = "",
) -> Job:
    """Store a new job; return the first one when the request repeats its idempotency key.

    `named` is the name of the source at its origin, if it has one: a repeated request may find
    other bytes there. `timeout` counts in seconds until the job has to end. Without a label, the
    job has that of its image. The label is no part of what a key stands for: the same file may have
    several names.

    Raises NotFound for an image that is not stored, InvalidRequest for a malformed key or
    submitter, KeyReused for the key of another request, RateLimited and QuotaExceeded for more
    megapixels than the caller may have rendered, Overloaded when the queue is full, and
    StoreVolatile when Redis may lose the job.
    """
    deps.store.check_durable()
    caller = caller_of(request.scope)
    submitter, line = _submitter_of(request, caller)
    name = _idempotency_key(request, line)
    wanted = _fingerprint(named or image, variants, webhook, timeout) if name else ""
    key = IdempotencyKey(name, wanted) if name else None
    job_id = token_hex(16)
    # A job that is not accepted costs nothing, and one that was accepted before is paid.
    async with deps.charges.renders(request.scope, image, variants, free=(ServiceError,)) as charge:
        with deps.live.recent.expect(caller.project, job_id):
            job = await deps.jobs.submit(
                image,
                variants,
                job_id=job_id,
                submitter=submitter,
                project=caller.project,
                line=line,
                webhook=webhook,
                key=key,
                timeout=timeout,
                label=label,
            )
        if charge and job.id != job_id:
            charge.refund()
    return job


def _submitter_of(request: Request, caller: Caller) -> tuple[str, str]:
    """Return the submitter of a job as clients see it, and its line in the queue.

    The line of a caller with a key is its project and key: with X-Submitter, it only names jobs.
    The line of one without a key is X-Submitter, or its address with other characters replaced.
    """
    name = request.headers.get("x-submitter")
    if name is not None and not _SUBMITTER.fullmatch(name):
        raise InvalidRequest("X-Submitter may have 64 letters, digits and ._:- at most.")
    if caller.key:
        line = f"{caller.project}.{caller.key}"
        return name or line, line
    if name is None:
        host = request.client.host if request.client else "unknown"
        name = _NOT_IN_SUBMITTER.sub("-", host)[:64] or "unknown"
    return name, name


def _fingerprint(
    source: str, variants: Variants, webhook: Webhook | None, timeout: float | None
) -> str:
    """Return what an idempotency key stands for, shortened."""
    digest = hashlib.sha256(source.encode())
    for part in (*variants, webhook):
        digest.update(part.model_dump_json().encode() if part else b"-")
    if timeout is not None:
        digest.update(str(timeout).encode())
    return digest.hexdigest()


def _idempotency_key(request: Request, line: str) -> str | None:
    """Return the Idempotency-Key header (an IETF draft) in the scope of its sender, if any."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest('Idempotency-Key is a string of 255 characters at most: "like-this".')
    scoped = line + "\n" + key.strip('"')
    return hashlib.sha256(scoped.encode()).hexdigest()

"""Submit a job: find its images, its submitter and its idempotency key, and store it."""

import hashlib
import re

from fastapi import Request

from contracts.errors import InvalidRequest, NotFound
from contracts.imaging import Blob
from contracts.jobs import Job, Variants, Webhook
from services.gateway.dependencies import Dependencies
from services.runtime.jobs.store import IdempotencyKey

_SUBMITTER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NOT_IN_SUBMITTER = re.compile(r"[^A-Za-z0-9._:-]")
_KEY = re.compile(r'"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255}"|[A-Za-z0-9._~:-]{1,255}')


async def submit(
    request: Request,
    deps: Dependencies,
    source: Blob,
    variants: Variants,
    webhook: Webhook | None = None,
) -> Job:
    """Store a new job; return the first one when the request repeats its idempotency key.

    `source` must live for `image_lifetime` already. Raises NotFound for a watermark's image that is
    not stored, InvalidRequest for a malformed key or submitter, KeyReused for the key of another
    request, and Overloaded when the queue is full.
    """
    await _extend_watermarks(deps, variants)
    submitter = _submitter_of(request)
    digest = hashlib.sha256(source.key.encode())
    for part in (*variants, webhook):
        digest.update(part.model_dump_json().encode() if part else b"-")
    key = _idempotency_key(request, submitter, digest.hexdigest())
    return await deps.jobs.submit(source, variants, submitter=submitter, webhook=webhook, key=key)


async def requeue(job_id: str, deps: Dependencies) -> Job:
    """Run a dead letter again. Raises NotFound for an unknown job and for an expired image."""
    job = await deps.jobs.find(job_id)
    await extend_image(deps, job.source.key)
    await _extend_watermarks(deps, job.variants)
    return await deps.jobs.requeue(job_id)


def image_lifetime(deps: Dependencies) -> int:
    """Return the seconds for which the images of a job are kept."""
    return max(deps.settings.image_ttl, deps.settings.job_ttl)


async def extend_image(deps: Dependencies, key: str, *, role: str = "source") -> Blob:
    """Keep a stored image for `image_lifetime` from now. Raises NotFound, naming its `role`."""
    found = await deps.images.find(key, ttl=image_lifetime(deps))
    if found is None:
        raise NotFound(
            f"The image {key} that the {role} names is not stored, or has expired; upload it again."
        )
    return found.blob


async def _extend_watermarks(deps: Dependencies, variants: Variants) -> None:
    for key in {key for variant in variants for key in variant.images}:
        await extend_image(deps, key, role="watermark")


def _submitter_of(request: Request) -> str:
    """Return the X-Submitter header, or the client's address with other characters replaced."""
    name = request.headers.get("x-submitter")
    if name is None:
        host = request.client.host if request.client else "unknown"
        return _NOT_IN_SUBMITTER.sub("-", host)[:64] or "unknown"
    if not _SUBMITTER.fullmatch(name):
        raise InvalidRequest("X-Submitter may have 64 letters, digits and ._:- at most.")
    return name


def _idempotency_key(request: Request, submitter: str, fingerprint: str) -> IdempotencyKey | None:
    """Return the Idempotency-Key header (an IETF draft) in the scope of its submitter, if any."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest('Idempotency-Key is a string of 255 characters at most: "like-this".')
    scoped = submitter + "\n" + key.strip('"')
    return IdempotencyKey(hashlib.sha256(scoped.encode()).hexdigest(), fingerprint)

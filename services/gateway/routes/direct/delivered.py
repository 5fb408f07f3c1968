"""Answers with the bytes of stored images, for FastAPI's routes and for `plain_delivery.py`."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import Request, Response

from contracts.errors import NotFound
from contracts.imaging import Render, Rendered, result_key
from contracts.jobs import OPEN_STATES
from contracts.operations.pipeline import Pipeline
from services.gateway.access.caller import caller_of
from services.gateway.access.limits.charges import is_free
from services.gateway.access.presets.middleware import preset_of
from services.gateway.delivery.find_or_render import FindOrRender
from services.gateway.delivery.offer import offer
from services.gateway.dependencies import Dependencies
from services.gateway.http.conditions import has_copy
from services.gateway.http.disconnect import cancel_on_disconnect
from services.gateway.http.freshness import (
    NO_STORE,
    MissingImage,
    fresh_until_end,
    freshness,
    freshness_of_original,
)
from services.gateway.http.responses import (
    etag_of,
    not_modified,
    resource_response,
    timing_headers,
)
from services.gateway.jobs.responses import pending_response
from services.gateway.middleware.head import is_head
from services.gateway.routes.direct.descriptions import inspect
from services.gateway.rpc import Reply
from services.gateway.sources.originals import Acquired
from services.runtime.storage.lookups import Found, Lookup
from services.runtime.storage.records import Kind, StoredBlob

_Reply = Reply[Rendered]  # made here once, and not for the inner functions of each request

MISSING_IMAGE = "There is no image with this id; it may have expired."


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters of a render."""

    pipeline: Pipeline
    canonical: str
    """The pipeline as JSON."""
    vary: Mapping[str, str]
    """`Vary: Accept` where the pipeline depends on Accept; empty otherwise."""
    version: str | None = None
    """The version of the engine that the URL names."""


async def send_image(image_id: str, request: Request, *, deps: Dependencies) -> Response:
    """Answer with the bytes of an image as they were uploaded."""
    skipped = is_head(request.scope) or has_copy(request.headers, etag_of(image_id))
    project = caller_of(request.scope).project
    bytes_of = None if skipped else Kind.IMAGE
    found = await deps.lookups.find(Lookup(project, (image_id,), bytes_of=bytes_of))
    if found is None:
        raise _missing(request)
    stored = found.image.stored
    # An image that arrived with a render or a job has not been inspected yet.
    inspected = await inspect(stored, deps)
    blob = stored.blob.model_copy(update={"media_type": inspected.media_type})
    if not found.no_store:
        offer(request, Kind.IMAGE, stored, (image_id,), life=stored.life)
    fresh = NO_STORE if found.no_store else _freshness(request, deps, stored.life)
    return resource_response(request, deps.answers, deps.images, blob, fresh, seen=found.image)


async def send_rendition(
    image_id: str,
    wanted: Wanted,
    request: Request,
    *,
    deps: Dependencies,
    timeout: float,
    no_cache: bool,
    acquired: Acquired | None = None,
) -> Response:
    """Answer with a stored image after a pipeline: the stored result, unless `no_cache` is set.

    A render that is missing takes `timeout` seconds at most. `acquired` says how the image came
    from a source, if it did.
    """
    asked, caller = time.monotonic(), caller_of(request.scope)
    key = result_key(image_id, wanted.canonical)
    images = tuple(dict.fromkeys((image_id, *wanted.pipeline.images)))
    # Other conditions count only for a stored result: the pipeline may be invalid.
    unchanged = not no_cache and (
        has_copy(request.headers, etag_of(key)) and "if-match" not in request.headers
    )
    lookup = Lookup(
        caller.project,
        images,
        rendition=None if no_cache or unchanged else key,
        ttl=deps.settings.rendition_ttl,
        bytes_of=None if is_head(request.scope) else Kind.RENDITION,
    )
    found, rendered = await _find_or_render(lookup, wanted, request, deps, timeout)
    if found is None:
        raise _missing(request)
    source = found.image.stored.blob
    # A watermark may expire earlier than the source.
    ends = asked + found.life
    no_store = found.no_store or (acquired is not None and not acquired.original.stored)

    def always() -> dict[str, str]:
        if no_store:
            return {**NO_STORE, **wanted.vary}
        left = ends - time.monotonic()
        return {**_freshness(request, deps, left, wanted.version, acquired), **wanted.vary}

    async def charged(seconds: float) -> _Reply:
        call = Render(source=source, pipeline=wanted.pipeline, reuse=not no_cache)
        async with deps.charges.renders(
            request.scope, source.key, (wanted.pipeline,), note=found.image.stored.note
        ) as charge:
            reply = await deps.imaging.render(call, timeout=seconds)
            if charge and (reply.body.reused or reply.collapsed):
                charge.refund()
        return reply

    async def render_anew() -> Response:
        if caller.is_visitor:
            work = deps.visits.render(caller.project, key, charged, timeout=timeout)
        else:
            work = charged(timeout)
        return answered(await cancel_on_disconnect(request, work))

    def answered(reply: _Reply) -> Response:
        timing = timing_headers(reply.body, worker=reply.worker, queue_ms=reply.queue_ms)
        status = f"darkroom; fwd={'request' if no_cache else 'miss'}"
        status += "; collapsed" if reply.collapsed else ""
        miss = {"Cache-Status": came + status, **always(), **timing}
        return resource_response(
            request, deps.answers, deps.renditions, reply.body.blob, miss, data=reply.attached
        )

    # The cache that is nearest to the origin comes first (RFC 9211, section 2).
    came = f"{acquired.status}, " if acquired is not None else ""
    if unchanged:
        return not_modified(etag_of(key), always())
    if rendered is not None:
        return answered(rendered)
    if found.rendition is None:
        return await render_anew()
    kept = found.rendition.stored
    hit = {"Cache-Status": f"{came}darkroom; hit", **always()}
    life = min(ends - time.monotonic(), kept.life)
    left = math.inf if acquired is None else acquired.original.left()
    if left > 0 and not no_store:
        offer(request, Kind.RENDITION, kept, images, life=life, left=left)
    # A stored result whose bytes are lost or damaged is made again.
    return resource_response(
        request,
        deps.answers,
        deps.renditions,
        kept.blob,
        hit,
        otherwise=render_anew,
        seen=found.rendition,
    )


async def _find_or_render(
    lookup: Lookup, wanted: Wanted, request: Request, deps: Dependencies, timeout: float
) -> tuple[Found | None, _Reply | None]:
    """Return what is found, and the reply of a worker if it was asked in the same trip.

    Renders that are to be paid first are not asked for, nor those that are likely to be stored.
    """
    scope, rendered = request.scope, None
    if (
        lookup.rendition is not None
        and deps.imaging.expects_renders
        and not (caller_of(scope).is_visitor or is_head(scope))
        and is_free(scope)
    ):
        search = FindOrRender(lookup, lookup.rendition, wanted.canonical)
        work = deps.imaging.find_or_render(search, timeout=timeout)
        rendered = await cancel_on_disconnect(request, work)
        if search.answered:
            return search.found(), rendered
    return await deps.lookups.find(lookup), rendered


async def send_result(job_id: str, index: int, request: Request, *, deps: Dependencies) -> Response:
    """Answer with the image of a job's variant; 202 with the job until the variant has ended.

    Raises the problem that the variant ended in.
    """
    project = caller_of(request.scope).project
    job, life = await asyncio.gather(deps.jobs.find(project, job_id), deps.jobs.life(job_id))
    if index >= len(job.variants):
        raise NotFound(f"The job has {len(job.variants)} variants; they count from 0.")
    if index >= len(job.results):
        if job.state in OPEN_STATES:
            return pending_response(job)
        raise NotFound("The job ended before this variant was done.")
    outcome = job.results[index]
    if outcome.problem is not None:
        raise outcome.problem.error()
    assert outcome.blob is not None
    fresh = fresh_until_end(life)
    return resource_response(request, deps.answers, deps.renditions, outcome.blob, fresh)


async def send_fetched(
    src: str,
    wanted: Wanted,
    request: Request,
    *,
    deps: Dependencies,
    timeout: float,
    no_cache: bool,
) -> Response:
    """Answer with an original of a source after a pipeline.

    With `no_cache`, the source is asked whether it has another one, and the result is made anew.
    """
    project, preset = caller_of(request.scope).project, preset_of(request.scope)
    among = preset.sources if preset else None
    acquired = await deps.originals.acquire(src, project, again=no_cache, among=among)
    send = partial(
        send_rendition,
        wanted=wanted,
        request=request,
        deps=deps,
        timeout=timeout,
        no_cache=no_cache,
    )
    try:
        return await send(acquired.original.image, acquired=acquired)
    except MissingImage:
        # It was deleted since, and its source has it still.
        await deps.originals.forget(acquired)
    acquired = await deps.originals.acquire(src, project, again=True, among=among)
    return await send(acquired.original.image, acquired=acquired)


async def find_image(image_id: str, request: Request, deps: Dependencies) -> StoredBlob:
    """Return an image of the caller's project. Raises MissingImage."""
    stored = await deps.images.find_in(caller_of(request.scope).project, image_id)
    if stored is None:
        raise _missing(request)
    return stored


def _freshness(
    request: Request,
    deps: Dependencies,
    life: float,
    version: str | None = None,
    acquired: Acquired | None = None,
) -> dict[str, str]:
    """Return the fields of an answer that lives so long: never beyond the caller's permission.

    `acquired` says of what original it was made, if it came from a source.
    """
    preset = preset_of(request.scope)
    life = min(life, _permitted(request))
    max_age = preset.max_age if preset else None
    if acquired is None:
        return freshness(deps.settings, life, version, max_age=max_age)
    original = acquired.original
    return freshness_of_original(
        deps.settings,
        life,
        left=original.left(),
        stale_while_revalidate=original.stale_while_revalidate,
        stale_if_error=original.stale_if_error,
        version=version,
        max_age=max_age,
    )


def _missing(request: Request) -> MissingImage:
    return MissingImage(MISSING_IMAGE, life=_permitted(request))


def _permitted(request: Request) -> float:
    """Return the seconds until the caller's permission ends; infinite without an end."""
    ends = caller_of(request.scope).ends
    return math.inf if ends is None else ends - time.time()

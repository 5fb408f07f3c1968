"""POST /v1/render: send an image, receive the result in the same response."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.access.keys import KeyScope
from contracts.errors import Code, Conflict
from contracts.imaging import Render
from contracts.jobs import Job, JobState
from contracts.methods import Transport
from contracts.operations.pipeline import Pipeline
from services.gateway.access.caller import require
from services.gateway.dependencies import Dependencies, Injected
from services.gateway.http.disconnect import cancel_on_disconnect
from services.gateway.http.openapi import (
    IMAGE_CONTENT,
    RENDER_CODES,
    UPLOAD_CODES,
    answer,
    image_answer,
    problems,
    taking,
)
from services.gateway.http.prefer import Preference
from services.gateway.http.responses import image_response, timing_headers
from services.gateway.jobs.responses import pending_response, wait_for_end
from services.gateway.jobs.submission import submit
from services.gateway.routes.parameters import (
    OUTPUT_PARAMETERS,
    JobLabel,
    NoCache,
    PreferHeader,
    QueryPipeline,
    Timeout,
    VaryHeader,
)
from services.gateway.sources.acquire import Sent

router = APIRouter(tags=["render"])


@router.post(
    "/v1/render",
    summary="Render an image",
    response_class=Response,
    openapi_extra=taking(
        "Prefer",
        "Accept",
        "Cache-Control",
        "Idempotency-Key",
        "X-Submitter",
        query=OUTPUT_PARAMETERS,
        body=IMAGE_CONTENT,
    ),
    responses={
        200: image_answer("The result.", "Server-Timing", "X-Worker", "Preference-Applied"),
        202: answer(
            "The job, after `Prefer: respond-async`.",
            *("Retry-After", "Preference-Applied"),
            location="The job.",
            model=Job,
        ),
        **problems(
            *UPLOAD_CODES, *RENDER_CODES, Code.CONFLICT, Code.KEY_REUSED, Code.STORE_VOLATILE
        ),
    },
)
async def render(
    request: Request,
    deps: Injected,
    pipeline: QueryPipeline,
    timeout: Timeout,
    no_cache: NoCache,
    preference: PreferHeader,
    vary: VaryHeader,
    transport: Annotated[
        Transport, Query(description="The Redis structure that carries the request to a worker.")
    ] = Transport.STREAM,
    label: JobLabel = None,
) -> Response:
    """Send an image, and receive the result in the response.

    With `Prefer: respond-async` the image is rendered as a job, and the response is the job. With
    `Prefer: respond-async, wait=5` the response is the image if the job ends within 5 seconds, and
    the job otherwise. `Idempotency-Key`, `X-Submitter` and `label` count for a job only,
    `transport` and `timeout` without a job only.
    """
    if preference.respond_async:
        return await _render_later(request, deps, pipeline, preference, label)
    ttl = deps.settings.rendition_ttl
    image = await deps.acquirer.acquire(Sent(ttl=ttl, durable=False), request)
    stored = image.stored
    call = Render(source=stored.blob, pipeline=pipeline, reuse=not no_cache)
    async with deps.charges.renders(
        request.scope, stored.blob.key, (pipeline,), note=stored.note
    ) as charge:
        reply = await cancel_on_disconnect(
            request, deps.imaging.render(call, timeout=timeout, transport=transport)
        )
        if charge and (reply.body.reused or reply.collapsed):
            charge.refund()
    # A `timeout` in the query overrides Prefer's `wait`.
    wait_counts = preference.wait and "timeout" not in request.query_params
    applied = preference.applied if wait_counts else {}
    timing = timing_headers(reply.body, worker=reply.worker, queue_ms=reply.queue_ms)
    headers = {**timing, **applied, **vary}
    return image_response(
        deps.answers, deps.renditions, reply.body.blob, headers, data=reply.attached
    )


async def _render_later(
    request: Request,
    deps: Dependencies,
    pipeline: Pipeline,
    preference: Preference,
    label: str | None,
) -> Response:
    require(request.scope, KeyScope.JOBS)
    image = await deps.acquirer.acquire(Sent(ttl=deps.settings.job_ttl), request)
    source = image.stored.blob.key
    job = await submit(request, deps, source, (pipeline,), label=label or image.label)
    ended = await wait_for_end(request, job, deps, preference)
    if ended is None:
        return pending_response(job, preference.applied)
    if ended.problem is not None:
        raise ended.problem.error()
    if ended.state is JobState.CANCELLED:
        raise Conflict("The job was cancelled.")
    blob = ended.results[0].blob
    assert blob is not None
    return image_response(deps.answers, deps.renditions, blob, preference.applied)

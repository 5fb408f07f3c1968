"""HTTP responses about a job: accepted, in progress, ended."""

from fastapi import Request, Response

from contracts.jobs import OPEN_STATES, Job, JobState
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Dependencies
from services.gateway.http.prefer import Preference
from services.gateway.http.responses import json_response


async def pending_response(
    job: Job, deps: Dependencies, headers: dict[str, str] | None = None
) -> Response:
    """Return 202 with the job, the address of its status, and when to ask again (Retry-After)."""
    wait = (await deps.jobs.recent_backlog()).wait if job.state is JobState.QUEUED else 1
    where = {"Location": f"/v1/jobs/{job.id}", "Retry-After": str(wait)}
    return json_response(job, 202, {**where, **(headers or {})})


async def status_response(job: Job, deps: Dependencies, *, redirect: int) -> Response:
    """Return a job's status: 202 while it is open, `redirect` to its results, or 200 without any.

    `redirect` is 302 after a GET and 303 after a POST (RFC 9110, section 15.4.4). A job of one
    variant leads to its image, of several to the list of results.
    """
    if job.state in OPEN_STATES:
        return await pending_response(job, deps)
    if job.state is not JobState.SUCCEEDED:
        return json_response(job)
    results = f"/v1/jobs/{job.id}/results"
    single = len(job.variants) == 1
    return json_response(job, redirect, {"Location": f"{results}/0" if single else results})


async def wait_for_end(
    request: Request, job: Job, deps: Dependencies, preference: Preference
) -> Job | None:
    """Wait as long as the client prefers; return the job if it ends, or has ended, by then.

    None otherwise, and always None without a preference. Raises NotFound if the record expires.
    """
    if preference.wait is None:
        return None
    project = caller_of(request.scope).project
    if not await deps.live.wait_for_end(project, job.id, within=preference.wait):
        return None
    return await deps.jobs.find(project, job.id)

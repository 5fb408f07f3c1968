"""HTTP responses about a job: accepted, in progress, ended."""

from datetime import UTC, datetime

from fastapi import Request, Response

from contracts.jobs import OPEN_STATES, Job, JobState
from services.gateway.access.caller import caller_of
from services.gateway.dependencies import Dependencies
from services.gateway.http.prefer import Preference
from services.gateway.http.responses import json_response
from services.runtime.retry_after import whole_seconds


def pending_response(job: Job, headers: dict[str, str] | None = None) -> Response:
    """Return 202 with the job, the address of its status, and when to ask again (Retry-After)."""
    where = {"Location": f"/v1/jobs/{job.id}", "Retry-After": str(_wait(job))}
    return json_response(job, 202, {**where, **(headers or {})})


def _wait(job: Job) -> int:
    """Return the seconds after which to ask again: half of those that the job has been queued for.

    So no client learns of an end much later than it was. An estimate by the rate of the last jobs
    would be far too long after a quiet minute (decision 0068).
    """
    if job.state is not JobState.QUEUED:
        return 1
    queued = (datetime.now(UTC) - job.updated_at).total_seconds()
    return whole_seconds(queued / 2)


def status_response(job: Job, *, redirect: int) -> Response:
    """Return a job's status: 202 while it is open, `redirect` to its results, or 200 without any.

    `redirect` is 302 after a GET and 303 after a POST (RFC 9110, section 15.4.4). A job of one
    variant leads to its image, of several to the list of results.
    """
    if job.state in OPEN_STATES:
        return pending_response(job)
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

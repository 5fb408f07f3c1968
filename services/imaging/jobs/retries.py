"""Retries of jobs: after which failures, and how much later."""

import random

from contracts.errors import Code, Failure
from contracts.jobs import Job
from contracts.retries import TRANSIENT
from services.imaging.settings import ImagingSettings


def delay_before_retry(job: Job, problem: Failure, settings: ImagingSettings) -> float | None:
    """Return the seconds until a job is tried again; None if the failure is the result."""
    # A worker that reads the format may be running soon.
    unread = problem.code is Code.UNSUPPORTED_FORMAT and job.source.format is not None
    lasting = problem.code not in TRANSIENT and not unread
    if lasting or job.attempts >= settings.job_attempts:
        return None
    longest = min(settings.retry_cap, settings.retry_base * 2 ** (job.attempts - 1))
    # Full jitter: jobs that failed together are not retried together.
    return random.uniform(0, longest)

"""The durable job consumer: every variant of a job, its record kept up with each."""

import asyncio
from functools import partial

import structlog
from faststream.redis import RedisMessage
from redis.exceptions import RedisError

from contracts.errors import Code, Internal, ServiceError, WorkerCrashed
from contracts.imaging import Render
from contracts.jobs import JOBS, OPEN_STATES, Job, JobRequest, JobResult
from services.imaging import worker
from services.imaging.executor import Executor
from services.imaging.settings import ImagingSettings
from services.runtime.broker import Broker
from services.runtime.jobs import Jobs
from services.runtime.room import Room

# What is wrong with the image itself, and so with every variant of it.
BAD_SOURCE = frozenset({Code.IMAGE_UNREADABLE, Code.UNSUPPORTED_FORMAT})

log = structlog.get_logger(__name__)


async def work(
    request: JobRequest,
    message: RedisMessage,
    *,
    worker_name: str,
    jobs: Jobs,
    executor: Executor,
    settings: ImagingSettings,
) -> None:
    """Do what is left of a job. It stays in the stream until this has returned."""
    job = await jobs.get(request.id)
    if job is None or job.state not in OPEN_STATES:
        return
    if job.attempts >= settings.job_attempts and job.worker != worker_name:
        crashed = WorkerCrashed(f"Given up: {job.attempts} workers died of it.")
        await jobs.fail(job, crashed.failure())
        return
    started = await jobs.start(job, worker_name)
    if started is not None:
        ended = await _finish(started, jobs, executor, settings)
        if ended is not None:
            log.info("job ended", job=ended.id, state=ended.state, variants=len(ended.variants))


async def _finish(
    job: Job, jobs: Jobs, executor: Executor, settings: ImagingSettings
) -> Job | None:
    """Render the variants that have no result yet; None when another worker has taken over."""
    current: Job | None = job
    for pipeline in job.variants[len(job.results) :]:
        if current is None:
            return None
        request = Render(source=job.source, pipeline=pipeline)
        current = await _next(current, request, jobs, executor, settings)
    if current is None:
        return None
    problems = [result.problem for result in current.results if result.problem is not None]
    if len(problems) == len(current.results):
        return await jobs.fail(current, problems[0])
    return await jobs.succeed(current)


async def _next(
    job: Job, request: Render, jobs: Jobs, executor: Executor, settings: ImagingSettings
) -> Job | None:
    known = job.results[0].problem if job.results else None
    if known is not None and known.code in BAD_SOURCE:
        return await jobs.add_result(job, JobResult(problem=known))
    try:
        result = await _render(request, executor, settings)
    except asyncio.CancelledError:
        # This worker stops, and the job is none the worse for it.
        await jobs.give_back(job)
        raise
    return await jobs.add_result(job, result)


async def _render(request: Render, executor: Executor, settings: ImagingSettings) -> JobResult:
    try:
        rendered, _ = await executor.run(
            worker.render, request, settings, settings.job_ttl, timeout=settings.render_timeout
        )
    except ServiceError as exc:
        return JobResult(problem=exc.failure())
    except RedisError:
        # It passes: the job stays where it is, and is taken up again.
        raise
    except Exception as exc:
        # It would not pass, and trying for ever helps nobody.
        log.error("variant failed", source=request.source.key, exc_info=exc)
        broken = Internal("Something broke in the worker; its log has the details.")
        return JobResult(problem=broken.failure())
    return JobResult(blob=rendered.blob, width=rendered.width, height=rendered.height)


def register(broker: Broker, jobs: Jobs, executor: Executor, settings: ImagingSettings) -> None:
    """Work off the jobs stream on `broker`, a job a slot, so that the rest waits in Redis."""
    handler = partial(
        work, worker_name=broker.worker, jobs=jobs, executor=executor, settings=settings
    )
    broker.work_off(JOBS, JobRequest, handler, Room(executor.slots))

"""The durable job consumer: every variant of a job, its record kept up with each."""

import asyncio
import random
from functools import partial
from itertools import count

import structlog
from faststream.redis import RedisMessage
from redis.exceptions import RedisError

from contracts.errors import PASSING, Code, Failure, Internal, ServiceError, WorkerCrashed
from contracts.imaging import Render
from contracts.jobs import JOBS, OPEN_STATES, Job, JobRequest, JobResult, JobState
from services.imaging import worker
from services.imaging.executor import Executor
from services.imaging.settings import ImagingSettings
from services.runtime.blobs import Blobs, Kind
from services.runtime.broker import Broker
from services.runtime.cancellation import Cancellations
from services.runtime.jobs import Jobs
from services.runtime.presence import Workers
from services.runtime.room import Room

# What is wrong with the image itself, and so with every variant of it.
BAD_SOURCE = frozenset({Code.IMAGE_UNREADABLE, Code.UNSUPPORTED_FORMAT, Code.GONE})

_A_TURN = 8
"""Variants that a job gets done until the next in line has its turn."""

log = structlog.get_logger(__name__)


class JobRunner:
    """What one worker does with the jobs that it gets."""

    def __init__(
        self,
        name: str,
        jobs: Jobs,
        workers: Workers,
        cancellations: Cancellations,
        renditions: Blobs,
        executor: Executor,
        settings: ImagingSettings,
    ) -> None:
        self._name = name
        self._jobs = jobs
        self._workers = workers
        self._cancellations = cancellations
        self._renditions = renditions
        self._executor = executor
        self._settings = settings

    async def run(self, request: JobRequest, message: RedisMessage) -> None:
        """Do what is left of a job, or its turn of it.

        Its entry stays in the stream until this has returned, and is taken up again, here or by
        another worker, when it raises. Raises Cancelled for a job that somebody cancels.
        """
        taken = await self._jobs.take(request, self._name)
        if taken is not None:
            self._cancellations.check(taken.id)
            await self._cancellations.keep(taken.id, self._work(taken, deadly=False))
            return
        job = await self._jobs.get(request.id)
        if job is None or job.state not in OPEN_STATES or await self._in_good_hands(job):
            return
        started = await self._jobs.start(job, self._name)
        if started is not None:
            gave_up = job.state is JobState.RUNNING and started.attempts > job.attempts
            deadly = gave_up and job.attempts >= self._settings.job_attempts
            await self._cancellations.keep(job.id, self._work(started, deadly=deadly))

    async def _in_good_hands(self, job: Job) -> bool:
        """Whether a worker that lives is at it already, so that this is one entry too many."""
        if job.state is not JobState.RUNNING or job.worker is None:
            return False
        if job.worker == self._name:
            return self._cancellations.keeps(job.id)
        return job.worker in await self._workers.alive(JOBS)

    async def _work(self, job: Job, *, deadly: bool) -> None:
        for done in count(1):
            if deadly:
                crashed = WorkerCrashed(f"Given up: {job.attempts - 1} workers died of it.")
                result, deadly = JobResult(problem=crashed.failure()), False
            else:
                result = await self._next(job)
            if result.problem is not None and await self._is_tried_again(job, result.problem):
                return
            changed = await self._jobs.add_result(job, result)
            if changed is None:
                return
            job = changed
            if job.state not in OPEN_STATES:
                await self._hold_results(job)
                log.info("job ended", job=job.id, state=job.state, variants=len(job.variants))
                return
            if done % _A_TURN == 0 and await self._jobs.let_others(job):
                return

    async def _hold_results(self, job: Job) -> None:
        """Let every result live as long as the record: the first may have been there for hours."""
        for result in job.results[:-1]:
            if result.blob is not None:
                await self._renditions.find(result.blob.key, ttl=self._settings.job_ttl)

    async def _is_tried_again(self, job: Job, problem: Failure) -> bool:
        if problem.code not in PASSING or job.attempts >= self._settings.job_attempts:
            return False
        longest = min(self._settings.retry_cap, self._settings.retry_base * 2 ** (job.attempts - 1))
        # Full jitter, so that what failed together does not come back together.
        delay = random.uniform(0, longest)
        if await self._jobs.retry(job, problem, delay=delay):
            log.info("job is tried again", job=job.id, code=problem.code, after=round(delay, 2))
        return True

    async def _next(self, job: Job) -> JobResult:
        known = job.results[0].problem if job.results else None
        if known is not None and known.code in BAD_SOURCE:
            return JobResult(problem=known)
        request = Render(source=job.source, pipeline=job.variants[len(job.results)])
        more = len(job.variants) > len(job.results) + 1
        try:
            return await self._render(request, keep_source=more)
        except asyncio.CancelledError:
            # If this worker stops, the job is none the worse for it; if the job was cancelled, this
            # changes nothing.
            await self._jobs.give_back(job)
            raise

    async def _render(self, request: Render, *, keep_source: bool) -> JobResult:
        try:
            rendered, _ = await self._executor.run_later(
                partial(worker.render, keep_source=keep_source),
                request,
                self._settings,
                self._settings.job_ttl,
                timeout=self._settings.render_timeout,
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
    renditions = Blobs(broker.redis, Kind.RENDITION)
    parts = (Workers(broker.redis), broker.cancellations, renditions, executor, settings)
    runner = JobRunner(broker.worker, jobs, *parts)
    broker.work_off(JOBS, JobRequest, runner.run, Room(executor.slots))

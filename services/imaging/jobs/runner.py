"""The durable job consumer: every variant of a job, its record kept up with each."""

import asyncio
import random
from itertools import count

import structlog
from faststream.redis import RedisMessage
from redis.exceptions import RedisError

from contracts.errors import TRANSIENT, Code, Failure, Internal, ServiceError, WorkerCrashed
from contracts.imaging import Render
from contracts.jobs import JOBS, OPEN_STATES, Job, JobRequest, JobResult, JobState
from services.imaging.jobs.batching import MicroBatcher, NotBegun
from services.imaging.jobs.capacity import AdaptiveLimit
from services.imaging.pool.executor import Executor
from services.imaging.settings import ImagingSettings
from services.runtime.faststream_adapter.message import entry_of
from services.runtime.jobs.leases import Assignment
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Workers
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.storage.blobs import Blobs, Kind

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
        carrier: MicroBatcher,
        settings: ImagingSettings,
        room: AdaptiveLimit,
    ) -> None:
        self._name = name
        self._jobs = jobs
        self._workers = workers
        self._cancellations = cancellations
        self._renditions = renditions
        self._carrier = carrier
        self._settings = settings
        self._room = room
        self._over: dict[str, asyncio.Event] = {}
        self._resting = False

    async def run(self, request: JobRequest, message: RedisMessage) -> None:
        """Do what is left of a job, or its turn of it, and then one after the other.

        An entry stays in the stream until its job's turn is over, and is taken up again, here or by
        another worker, when this raises. Raises Cancelled for a job that somebody cancels.
        """
        entry = entry_of(message)
        taken = await self._jobs.leases.take(request, self._name, entry=entry)
        given: Assignment | None = Assignment(entry, request.id, taken)
        while given is not None:
            if not await self._take_up(given):
                # No change of its job does that, and this goes on for as long as there are more.
                await self._jobs.leases.acknowledge(given.entry, self._name)
            given = await self._next_given()

    def rest(self) -> None:
        """Take up nothing more than what is given to `run`."""
        self._resting = True

    async def stop(self) -> None:
        """Let go of what is still rendered; its jobs are given back by now."""
        await self._carrier.stop()

    async def _next_given(self) -> Assignment | None:
        if self._resting or self._room.exceeded:
            return None
        return await self._jobs.leases.take_next(self._name)

    async def _take_up(self, given: Assignment) -> bool:
        """Do what is left of a job, or its turn of it; False if nothing is for this worker."""
        if given.job is not None:
            await self._keep(given.job, deadly=False)
            return True
        came_back = False
        while (over := self._over.get(given.id)) is not None:
            came_back = True
            # It may be the very entry: whoever gives it to us again takes our return for its end.
            await over.wait()
        job = await self._jobs.get(given.id)
        if came_back and job is not None and job.state is JobState.QUEUED:
            # Its end here gave it another place in line, or another time.
            return False
        if job is None or job.state not in OPEN_STATES or await self._in_good_hands(job):
            return False
        started = await self._jobs.leases.start(job, self._name, entry=given.entry)
        if started is None:
            return False
        gave_up = job.state is JobState.RUNNING and started.attempts > job.attempts
        deadly = gave_up and job.attempts >= self._settings.job_attempts
        await self._keep(started, deadly=deadly)
        return True

    async def _keep(self, job: Job, *, deadly: bool) -> None:
        over = self._over[job.id] = asyncio.Event()
        try:
            self._cancellations.check(job.id)
            await self._cancellations.run(job.id, self._work(job, deadly=deadly))
        finally:
            over.set()
            del self._over[job.id]

    async def _in_good_hands(self, job: Job) -> bool:
        """Whether another worker that lives is at it, so that this is one entry too many."""
        if job.state is not JobState.RUNNING or job.worker in (None, self._name):
            return False
        return job.worker in await self._workers.alive(JOBS)

    async def _work(self, job: Job, *, deadly: bool) -> None:
        for done in count(1):
            if deadly:
                crashed = WorkerCrashed(f"Given up: {job.attempts - 1} workers died of it.")
                result, deadly = JobResult(problem=crashed.failure()), False
            else:
                try:
                    result = await self._next(job)
                except NotBegun:
                    return
            if result.problem is not None and await self._is_tried_again(job, result.problem):
                return
            changed = await self._jobs.leases.add_result(job, result)
            if changed is None:
                return
            job = changed
            if job.state not in OPEN_STATES:
                await self._hold_results(job)
                log.info("job ended", job=job.id, state=job.state, variants=len(job.variants))
                return
            if done % _A_TURN == 0 and await self._jobs.leases.yield_turn(job):
                return

    async def _hold_results(self, job: Job) -> None:
        """Let every result live as long as the record: the first may have been there for hours."""
        for result in job.results[:-1]:
            if result.blob is not None:
                await self._renditions.find(result.blob.key, ttl=self._settings.job_ttl)

    async def _is_tried_again(self, job: Job, problem: Failure) -> bool:
        if problem.code not in TRANSIENT or job.attempts >= self._settings.job_attempts:
            return False
        longest = min(self._settings.retry_cap, self._settings.retry_base * 2 ** (job.attempts - 1))
        # Full jitter, so that what failed together does not come back together.
        delay = random.uniform(0, longest)
        if await self._jobs.leases.retry(job, problem, delay=delay):
            log.info("job is tried again", job=job.id, code=problem.code, after=round(delay, 2))
        return True

    async def _next(self, job: Job) -> JobResult:
        known = job.results[0].problem if job.results else None
        if known is not None and known.code in BAD_SOURCE:
            return JobResult(problem=known)
        request = Render(source=job.source, pipeline=job.variants[len(job.results)])
        more = len(job.variants) > len(job.results) + 1
        try:
            # What has failed before fails alone, or not at all.
            return await self._render(request, alone=job.attempts > 1, keep_source=more)
        except (asyncio.CancelledError, NotBegun):
            # If this worker stops, or has long work before it, the job is none the worse for it; if
            # the job was cancelled, this changes nothing.
            await self._jobs.leases.hand_back(job)
            raise

    async def _render(self, request: Render, *, alone: bool, keep_source: bool) -> JobResult:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            rendered = await self._carrier.render(request, alone=alone, keep_source=keep_source)
        except ServiceError as exc:
            return JobResult(problem=exc.failure())
        except (RedisError, NotBegun):
            # It passes: the job stays where it is, or is given back, and is taken up again.
            raise
        except Exception as exc:
            # It would not pass, and trying for ever helps nobody.
            log.error("variant failed", source=request.source.key, exc_info=exc)
            broken = Internal("Something broke in the worker; its log has the details.")
            return JobResult(problem=broken.failure())
        self._room.observe(loop.time() - begun)
        return JobResult(blob=rendered.blob, width=rendered.width, height=rendered.height)


def register(
    broker: Broker, jobs: Jobs, executor: Executor, settings: ImagingSettings
) -> JobRunner:
    """Work off the jobs stream on `broker`, as many at once as are soon done."""
    renditions, room = Blobs(broker.redis, Kind.RENDITION), AdaptiveLimit(executor.slots)
    carrier = MicroBatcher(executor, settings, room)
    parts = (Workers(broker.redis), broker.cancellations, renditions, carrier, settings, room)
    runner = JobRunner(broker.worker, jobs, *parts)
    broker.consume(JOBS, JobRequest, runner.run, room)
    return runner

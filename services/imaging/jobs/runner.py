"""Runs durable jobs: one variant after the other, with the job's record updated after each."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import count

import structlog
from faststream.redis import RedisMessage
from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError

from contracts.errors import Failure, Internal, ServiceError, WorkerCrashed
from contracts.imaging import RENDER, Render
from contracts.jobs import JOBS, OPEN_STATES, Job, JobRequest, JobResult, JobState
from services.imaging.jobs.batching import MicroBatcher, NotStarted
from services.imaging.jobs.outages import Outages
from services.imaging.jobs.renderer import JobRenderer
from services.imaging.jobs.retries import delay_before_retry
from services.imaging.peers import Peers
from services.imaging.pool.adaptive_limit import AdaptiveLimit
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.faststream_adapter.message import entry_of
from services.runtime.jobs.leases import Assignment
from services.runtime.jobs.records import READABLE
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Workers
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_consumer import Taken
from services.runtime.redis.replies import FULL
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.discarded import Discarded
from services.runtime.storage.renditions import Renditions
from services.runtime.telemetry.tracing import continued_span, inner_span

_VARIANTS_PER_TURN = 8  # then the next job in line has its turn
_MOST_PER_SLOT = 16  # jobs that a worker takes, while renders are short

log = structlog.get_logger(__name__)


class JobRunner:
    """Runs one worker's jobs: those its consumer delivers to `run`, and those of `take_next`."""

    def __init__(
        self,
        name: str,
        jobs: Jobs,
        workers: Workers,
        cancellations: Cancellations,
        renditions: Renditions,
        renderer: JobRenderer,
        settings: ImagingSettings,
        limit: AdaptiveLimit,
        clock: Clock,
        outages: Outages,
    ) -> None:
        self._name = name
        self._jobs = jobs
        self._workers = workers
        self._cancellations = cancellations
        self._renditions = renditions
        self._renderer = renderer
        self._settings = settings
        self._limit = limit
        self._clock = clock
        self._outages = outages
        self._running: set[str] = set()
        self._left: set[bytes] = set()
        self._draining = False

    async def run(self, request: JobRequest, message: RedisMessage) -> None:
        """Run a job until it ends or its turn is over.

        The entry of `message` stays in the stream if this raises, and is delivered again, here or
        to another worker. Raises Cancelled for a job that was cancelled.
        """
        entry = entry_of(message)
        job = await self._jobs.leases.take(request, self._name, entry=entry)
        with continued_span(JOBS, message.headers, SpanKind.CONSUMER, job=request.id):
            if await self._run_assigned(entry, request.id, job):
                self._left.add(entry.encode())

    def has_left(self, entry: bytes) -> bool:
        """Return whether an entry that `run` has handled left the stream with its job: once."""
        left = entry in self._left
        self._left.discard(entry)
        return left

    async def take_next(self) -> Taken | None:
        """Take the next job of the stream; None when it is empty, or this worker takes no more."""
        if self._draining or self._limit.exceeded:
            return None
        assignment = await self._jobs.leases.take_next(self._name)
        if assignment is None:
            return None
        received = Received(JOBS, dict(assignment.fields), assignment.entry)
        return Taken(received, partial(self._run_taken, assignment))

    async def give_up(self, received: Received, exc: Exception) -> None:
        """End the job of an entry that was delivered too often or can't be read."""
        await self._jobs.dead_letters.give_up(received, exc, worker=self._name)

    def drain(self) -> None:
        """Take no more jobs than those that are passed to `run`."""
        self._draining = True

    async def stop(self) -> None:
        """Cancel the renders in progress. Call this after `run` has been cancelled."""
        await self._renderer.stop()

    async def _run_taken(self, assignment: Assignment) -> bool:
        entry, job_id = assignment.entry.decode(), assignment.job_id
        span = continued_span(JOBS, assignment.headers, SpanKind.CONSUMER, job=job_id)
        with suppress(Discarded), span:
            return await self._run_assigned(entry, job_id, assignment.job())
        return True

    async def _run_assigned(self, entry: str, job_id: str, taken: Job | None) -> bool:
        """Run a job until it ends or its turn is over. Return False if it is not for this worker.

        `taken` is the job if it was taken in the step that delivered its entry. A job that was
        taken before, by this worker or another, is started here.
        """
        if taken is not None:
            await self._run_cancellable(taken, attempts_exceeded=False)
            return True
        job = await self._jobs.get(job_id)
        if job is None or job.state not in OPEN_STATES or await self._is_run(job):
            return False
        started = await self._jobs.leases.start(job, self._name, entry=entry)
        if started is None:
            return False
        worker_died = job.state is JobState.RUNNING and started.attempts > job.attempts
        exceeded = worker_died and job.attempts >= self._settings.job_attempts
        await self._run_cancellable(started, attempts_exceeded=exceeded)
        return True

    async def _run_cancellable(self, job: Job, *, attempts_exceeded: bool) -> None:
        self._running.add(job.id)
        try:
            self._cancellations.check(job.id)
            variants = self._run_variants(job, attempts_exceeded=attempts_exceeded)
            await self._cancellations.run(job.id, variants)
        finally:
            self._running.discard(job.id)

    async def _is_run(self, job: Job) -> bool:
        """Return whether a worker that is alive runs the job, which came in two entries then."""
        if job.state is not JobState.RUNNING or job.worker is None:
            return False
        if job.worker == self._name:
            return job.id in self._running
        return job.worker in await self._workers.alive(JOBS)

    async def _run_variants(self, job: Job, *, attempts_exceeded: bool) -> None:
        """Render variant by variant, until the job ends, its turn is over, or it is queued again.

        At the job's deadline, stop the render and end the job. With `attempts_exceeded` the next
        variant fails without a render.
        """
        for done in count(1):
            left = self._seconds_left(job)
            if left is not None and left <= 0:
                await self._end_late(job)
                return
            if attempts_exceeded:
                crashed = WorkerCrashed(f"Given up: {job.attempts - 1} workers died of it.")
                result, attempts_exceeded = JobResult(problem=crashed.failure()), False
            else:
                try:
                    async with asyncio.timeout(left) as limit:
                        result = await self._render_next(job)
                except NotStarted as exc:
                    await self._jobs.leases.hand_back(job, delay=exc.delay)
                    return
                except asyncio.CancelledError:
                    # A stop of this worker is no attempt at this job. For a job that was
                    # cancelled this changes nothing.
                    await self._jobs.leases.hand_back(job)
                    raise
                except TimeoutError:
                    if not limit.expired():
                        raise
                    await self._end_late(job)
                    return
            if result.problem is not None and await self._retry(job, result.problem):
                return
            changed = await self._jobs.leases.add_result(job, result)
            if changed is None:
                return
            job = changed
            if job.state not in OPEN_STATES:
                await self._extend_results(job, job.results[:-1])
                code = job.problem.code if job.problem else None
                variants = len(job.variants)
                log.info("job ended", job=job.id, state=job.state, code=code, variants=variants)
                return
            if done % _VARIANTS_PER_TURN == 0 and await self._jobs.leases.yield_turn(job):
                return

    def _seconds_left(self, job: Job) -> float | None:
        """Return the time until the job's deadline; None without one."""
        return job.deadline.timestamp() - self._clock.now() if job.deadline else None

    async def _end_late(self, job: Job) -> None:
        if not await self._jobs.leases.end_late(job):
            return
        await self._extend_results(job, job.results)
        log.info("job ended late", job=job.id, done=len(job.results), variants=len(job.variants))

    async def _extend_results(self, job: Job, results: Sequence[JobResult]) -> None:
        """Let results live as long as the record: the first may be hours older by then."""
        ttl = self._settings.job_ttl
        for result in results:
            if result.blob is not None:
                await self._renditions.find(result.blob.key, ttl=ttl, images=job.images)

    async def _retry(self, job: Job, problem: Failure) -> bool:
        """Queue the job for a retry if the failure is transient. Return whether this variant ends
        here, as it is retried, or as this worker has lost the job.
        """
        delay = delay_before_retry(job, problem, self._settings)
        if delay is None:
            return False
        if await self._jobs.leases.retry(job, problem, delay=delay):
            log.info("job retried later", job=job.id, code=problem.code, delay=round(delay, 2))
        return True

    async def _render_next(self, job: Job) -> JobResult:
        """Render the first variant without a result. Raises NotStarted."""
        request = Render(source=job.source, pipeline=job.variants[len(job.results)])
        more = len(job.variants) > len(job.results) + 1
        # A variant that failed before may fail the whole batch that it is in.
        return await self._render(request, alone=job.attempts > 1, keep_source=more)

    async def _render(self, request: Render, *, alone: bool, keep_source: bool) -> JobResult:
        """Render one variant. Raises RedisError and NotStarted, after which the job is taken again;
        any other exception is a failure of the variant.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            with inner_span(RENDER.name):
                render = self._renderer.render(request, alone=alone, keep_source=keep_source)
                rendered = await render
        except FULL as exc:
            self._outages.pause_after(exc)
            raise NotStarted from exc
        except ServiceError as exc:
            if self._outages.pause_after(exc):
                # The job waits in the queue, and this worker takes no other one.
                raise NotStarted from exc
            return JobResult(problem=exc.failure())
        except (RedisError, NotStarted):
            raise
        except Exception as exc:
            # A bug: it would fail again, and the job would come back for ever.
            log.error("variant failed", source=request.source.key, exc_info=exc)
            broken = Internal("Something broke in the worker; its log has the details.")
            return JobResult(problem=broken.failure())
        self._limit.observe(loop.time() - start)
        return JobResult(blob=rendered.blob, width=rendered.width, height=rendered.height)


def register(
    broker: Broker,
    jobs: Jobs,
    renders: Renders,
    settings: ImagingSettings,
    peers: Peers,
    renditions: Renditions,
    outages: Outages,
) -> JobRunner:
    """Consume the jobs stream on `broker`."""
    limit = AdaptiveLimit(renders.slots, _MOST_PER_SLOT * renders.slots)
    batcher = MicroBatcher(renders, settings, limit)
    # Twice the time of a render: the other worker is busy with renders of its own.
    renderer = JobRenderer(batcher, peers, broker.metrics, timeout=2 * settings.render_timeout)
    parts = (Workers(broker.redis), broker.cancellations, renditions, renderer, settings, limit)
    runner = JobRunner(broker.worker, jobs, *parts, broker.clock, outages)
    broker.consume(
        JOBS,
        JobRequest,
        runner.run,
        limit,
        give_up=runner.give_up,
        take_next=runner.take_next,
        has_left=runner.has_left,
        versions=READABLE,
    )
    return runner

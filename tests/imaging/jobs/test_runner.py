"""The job consumer: what may pass is tried again, what can't ends the variant by its name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest
from faststream.redis import RedisMessage
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from contracts.control import Cancel
from contracts.errors import Code, DeadlineExceeded, ImageUnreadable, WorkerCrashed
from contracts.imaging import Blob, Rendered
from contracts.jobs import JOBS, Job, JobRequest, JobState
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.imaging.jobs.capacity import AdaptiveLimit
from services.imaging.jobs.runner import JobRunner
from services.imaging.settings import ImagingSettings
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Workers
from services.runtime.redis import keys
from services.runtime.redis.client import make_redis
from services.runtime.redis.stream_entries import entries_read
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.rpc.discarded import Cancelled
from services.runtime.storage.blobs import Blobs, Kind
from tests.processes import valkey

BLOB = Blob(key="0" * 64, media_type="image/jpeg", bytes=1)
DONE = Rendered(blob=BLOB, width=1, height=1, decode_ms=0, operations_ms=0, encode_ms=0)


class Script:
    """A carrier in which each render comes out as it is told here."""

    def __init__(self, *outcomes: Exception | Callable[[], Any] | None) -> None:
        self._outcomes = list(outcomes)
        self.runs = 0

    async def render(self, *_: object, alone: bool, keep_source: bool) -> Rendered:
        self.runs += 1
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            await outcome()
        return DONE


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A server of these tests' own, where no running worker takes their jobs."""
    with valkey() as running:
        yield str(running.connection_url)


class Bench:
    """A worker, by its parts."""

    def __init__(self, redis_url: str) -> None:
        self.settings = ImagingSettings(redis_url=redis_url, retry_base=0.01)
        self.redis = make_redis(self.settings)
        self.jobs = Jobs(self.redis, self.settings)
        self.cancellations = Cancellations()
        self.room = AdaptiveLimit(1)

    def runner(self, executor: Script, name: str = "a-worker") -> JobRunner:
        workers = Workers(self.redis)
        renditions = Blobs(self.redis, Kind.RENDITION)
        parts: Any = (self.cancellations, renditions, executor, self.settings, self.room)
        return JobRunner(name, self.jobs, workers, *parts)

    async def submitted(self, variants: int = 1) -> Job:
        return await self.jobs.submit(BLOB, (Pipeline(),) * variants, submitter="me")

    async def given(self, name: str = "a-worker") -> RedisMessage:
        """What a worker is given next, if anything, as FastStream would hand it over."""
        with suppress(ResponseError):
            await self.redis.execute("XGROUP", "CREATE", JOBS, GROUP, 0, "MKSTREAM")
        read = ("XREADGROUP", "GROUP", GROUP, name, "COUNT", 1, "STREAMS", JOBS, ">")
        entries = [entry for entry, _ in entries_read(await self.redis.execute(*read))] or [b"0-0"]
        raw = {"type": "stream", "channel": JOBS, "message_ids": entries, "data": {}}
        return RedisMessage(raw_message=cast(Any, raw), body=b"")

    async def run(self, job: Job, executor: Script, name: str = "a-worker") -> Job:
        """The job after one go at it."""
        runner = self.runner(executor, name)
        runner.rest()
        await runner.run(request_of(job), await self.given(name))
        return await self.jobs.find(job.id)


def request_of(job: Job) -> JobRequest:
    return JobRequest(id=job.id, source=job.source, variants=job.variants)


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    bench = Bench(redis_url)
    await bench.redis.execute("FLUSHALL")
    yield bench
    await bench.redis.close()


async def test_a_bug_ends_the_job_by_its_name_and_is_logged_once(bench: Bench) -> None:
    with capture_logs() as logs:
        job = await bench.run(await bench.submitted(), Script(ZeroDivisionError()))
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert job.problem.code is Code.INTERNAL
    (line,) = [line for line in logs if "exc_info" in line]
    assert isinstance(line["exc_info"], ZeroDivisionError)
    (letter,) = await bench.jobs.dead_letters(10)
    assert letter.job == job.id, "once the bug is mended, it may do well"


async def test_a_redis_that_is_away_leaves_the_job_to_be_taken_up_again(bench: Bench) -> None:
    job = await bench.submitted()
    with pytest.raises(RedisConnectionError):
        await bench.run(job, Script(RedisConnectionError("away")))
    again = await bench.run(job, Script())
    assert (again.state, again.attempts) == (JobState.SUCCEEDED, 1), "which is no new attempt"


@pytest.mark.parametrize("passing", [WorkerCrashed("died"), DeadlineExceeded("late")])
async def test_what_may_pass_is_tried_again_until_the_limit(
    bench: Bench, passing: Exception
) -> None:
    job = await bench.submitted()
    for attempt in (1, 2):
        job = await bench.run(job, Script(passing))
        assert (job.state, job.attempts) == (JobState.QUEUED, attempt)
        assert job.problem is not None
        assert job.not_before is not None
    job = await bench.run(job, Script(passing))
    assert job.state is JobState.FAILED
    (letter,) = await bench.jobs.dead_letters(10)
    assert (letter.job, letter.attempts) == (job.id, 3)


async def test_a_bad_image_is_not_tried_again(bench: Bench) -> None:
    script = Script(ImageUnreadable("torn"))
    job = await bench.run(await bench.submitted(variants=5), script)
    assert job.state is JobState.FAILED
    assert len(job.results) == 5
    assert script.runs == 1, "it is as bad for every variant"


async def test_the_others_are_done_beside_a_variant_that_is_given_up(bench: Bench) -> None:
    job = await bench.submitted(variants=3)
    died = WorkerCrashed("died")
    job = await bench.run(job, Script(None, died))
    assert (len(job.results), job.attempts) == (1, 1)
    job = await bench.run(job, Script(died))
    script = Script(died)
    job = await bench.run(job, script)
    assert job.state is JobState.SUCCEEDED
    assert [result.problem is None for result in job.results] == [True, False, True]
    assert script.runs == 2, "what was done before is not done again"


async def test_a_job_whose_workers_die_is_given_up(bench: Bench) -> None:
    job = await bench.submitted()
    for number in range(3):
        taken = await bench.jobs.leases.start(await bench.jobs.find(job.id), f"dead-{number}")
        assert taken is not None
    job = await bench.run(job, script := Script())
    assert (job.state, script.runs) == (JobState.FAILED, 0)
    (letter,) = await bench.jobs.dead_letters(10)
    assert letter.problem.detail == "Given up: 3 workers died of it."


async def test_an_entry_too_many_leaves_the_job_to_the_worker_that_has_it(bench: Bench) -> None:
    job = await bench.submitted()
    running = await bench.jobs.leases.start(job, "living")
    await bench.redis.execute("ZADD", keys.responders(JOBS), 10**15, "living")
    assert await bench.run(job, script := Script()) == running
    assert script.runs == 0


async def test_a_long_job_lets_the_next_in_line_have_its_turn(bench: Bench) -> None:
    long = await bench.submitted(variants=20)
    for _ in range(10):
        await bench.jobs.submit(BLOB, (Pipeline(),), submitter="other")
    job = await bench.run(long, script := Script())
    assert (job.state, len(job.results), script.runs) == (JobState.QUEUED, 8, 8)


async def test_a_running_job_that_is_cancelled_is_stopped(bench: Bench) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    job = await bench.submitted()
    runner = bench.runner(Script(forever))
    running = asyncio.create_task(runner.run(request_of(job), await bench.given()))
    await asyncio.wait_for(begun.wait(), 5)
    await bench.jobs.cancel(job.id)
    bench.cancellations.cancel(Cancel(subject=job.id))
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, 5)
    assert stopped.is_set()
    assert (await bench.jobs.find(job.id)).state is JobState.CANCELLED


async def test_a_worker_that_stops_gives_its_job_back(bench: Bench) -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    job = await bench.submitted()
    runner = bench.runner(Script(forever))
    running = asyncio.create_task(runner.run(request_of(job), await bench.given()))
    await asyncio.wait_for(begun.wait(), 5)
    running.cancel()
    await asyncio.wait([running], timeout=5)
    back = await bench.jobs.find(job.id)
    assert (back.state, back.attempts, back.worker) == (JobState.QUEUED, 0, None)


async def test_one_job_after_the_other_is_done_in_one_go(bench: Bench) -> None:
    jobs = [await bench.submitted() for _ in range(20)]
    await bench.runner(script := Script()).run(request_of(jobs[0]), await bench.given())
    states = {(await bench.jobs.find(job.id)).state for job in jobs}
    assert (states, script.runs) == ({JobState.SUCCEEDED}, 20)
    assert await bench.redis.execute("XLEN", JOBS) == 0


async def test_of_what_is_given_next_only_what_is_open_is_taken_up_and_nothing_stays(
    bench: Bench,
) -> None:
    cancelled, taken, kept, back = [await bench.submitted() for _ in range(4)]
    message = await bench.given()
    await bench.jobs.cancel(cancelled.id)
    await bench.jobs.leases.start(taken, "living")
    await bench.redis.execute("ZADD", keys.responders(JOBS), 10**15, "living")
    tried = await bench.jobs.leases.start(back, "another")
    assert tried is not None
    assert await bench.jobs.leases.hand_back(tried), "which makes a second entry of it"
    await bench.runner(script := Script()).run(request_of(cancelled), message)
    states = [(await bench.jobs.find(job.id)).state for job in (cancelled, taken, kept, back)]
    assert states == ["cancelled", "running", "succeeded", "succeeded"]
    assert script.runs == 2
    assert await bench.redis.execute("XLEN", JOBS) == 0


async def test_the_entry_of_a_job_that_was_cancelled_does_not_wait_for_the_next_ones_end(
    bench: Bench,
) -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    cancelled, _ = await bench.submitted(), await bench.submitted()
    await bench.jobs.cancel(cancelled.id)
    runner = bench.runner(Script(forever))
    running = asyncio.create_task(runner.run(request_of(cancelled), await bench.given()))
    await asyncio.wait_for(begun.wait(), 5)
    assert await bench.redis.execute("XLEN", JOBS) == 1, "the next one's"
    running.cancel()
    await asyncio.wait([running], timeout=5)


async def test_an_entry_that_comes_again_waits_for_the_end_of_its_job(bench: Bench) -> None:
    """Who returns from it is done with it, and it is what others take a dead worker's job by."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    job = await bench.submitted()
    runner, message = bench.runner(script := Script(wait)), await bench.given()
    first = asyncio.create_task(runner.run(request_of(job), message))
    await asyncio.wait_for(begun.wait(), 5)
    again = asyncio.create_task(runner.run(request_of(job), message))
    _, waiting = await asyncio.wait([again], timeout=0.2)
    assert waiting
    go_on.set()
    await asyncio.wait_for(asyncio.gather(first, again), 5)
    assert script.runs == 1


async def test_a_worker_that_rests_takes_up_nothing_more(bench: Bench) -> None:
    job, left = await bench.submitted(), await bench.submitted()
    assert (await bench.run(job, Script())).state is JobState.SUCCEEDED
    assert (await bench.jobs.find(left.id)).state is JobState.QUEUED


async def test_jobs_that_are_done_soon_make_room_for_more(bench: Bench) -> None:
    for _ in range(2):
        await bench.run(await bench.submitted(), Script())
    assert bench.room.free == 3
    await bench.run(await bench.submitted(), Script(partial(asyncio.sleep, 0.15)))
    assert bench.room.free == 2

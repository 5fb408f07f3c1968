"""The parts of a worker that runs jobs, with renders whose outcomes a test chooses."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from faststream.redis import RedisMessage
from redis.exceptions import ResponseError

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import (
    ServiceError,
)
from contracts.imaging import Blob, Rendered
from contracts.jobs import JOBS, Job, JobRequest
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.imaging.jobs.outages import Outages
from services.imaging.jobs.runner import JobRunner
from services.imaging.pool.adaptive_limit import AdaptiveLimit
from services.imaging.settings import ImagingSettings
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.heartbeat import Heartbeat, Workers
from services.runtime.liveness.server_clock import Clock
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.envelope import body_of
from services.runtime.messaging.stream_consumer import StreamConsumer
from services.runtime.redis.client import make_redis
from services.runtime.redis.stream_entries import entries_read
from services.runtime.redis.watch import StoreWatch
from services.runtime.rpc.cancellation import Cancellations
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.processes import until_answer

BLOB = Blob(key="0" * 64, media_type="image/jpeg", bytes=1)


DONE = Rendered(blob=BLOB, width=1, height=1, decode_ms=0, operations_ms=0, encode_ms=0)


class FakeBatcher:
    """A batcher whose renders raise or await the outcomes given here, in turn; None succeeds."""

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


class FakeWatch:
    """Records what a watch over Redis is told."""

    def __init__(self) -> None:
        self.full: list[ServiceError] = []
        self.pauses = 0

    def report_full(self, failure: ServiceError) -> None:
        self.full.append(failure)

    def pause(self, *, longest: float = 0) -> None:
        self.pauses += 1


class Bench:
    """The parts of a worker, to run jobs with."""

    def __init__(self, redis_url: str) -> None:
        self.settings = ImagingSettings(redis_url=redis_url, retry_base=0.01)
        self.redis = make_redis(self.settings)
        self.jobs = Jobs(self.redis, self.settings)
        self.cancellations = Cancellations()
        self.limit = AdaptiveLimit(1, 16)
        self.watch = FakeWatch()
        self.store: Any = None

    def runner(self, batcher: FakeBatcher, name: str = "a-worker") -> JobRunner:
        workers = Workers(self.redis)
        renditions = Renditions(make_storage(self.settings, self.redis, Metrics()))
        parts: Any = (self.cancellations, renditions, batcher, self.settings, self.limit, Clock())
        parts += (Outages(cast(StoreWatch, self.watch), self.store),)
        return JobRunner(name, self.jobs, workers, *parts)

    async def submit(self, variants: int = 1, *, timeout: float | None = None) -> Job:
        pipelines = (Pipeline(),) * variants
        return await self.jobs.submit(BLOB.key, pipelines, submitter="me", timeout=timeout)

    async def deliver(self, name: str = "a-worker") -> RedisMessage:
        """Deliver the next entry of the stream, or one that is not there, as FastStream does."""
        with suppress(ResponseError):
            await self.redis.execute("XGROUP", "CREATE", JOBS, GROUP, 0, "MKSTREAM")
        read = ("XREADGROUP", "GROUP", GROUP, name, "COUNT", 1, "STREAMS", JOBS, ">")
        entries = [entry for entry, _ in entries_read(await self.redis.execute(*read))] or [b"0-0"]
        return message_of(entries[0])

    async def run(self, job: Job, batcher: FakeBatcher, name: str = "a-worker") -> Job:
        """Run the job alone on one worker, and return it as it is then."""
        await self.runner(batcher, name).run(request_of(job), await self.deliver(name))
        return await self.jobs.find(DEFAULT_PROJECT, job.id)

    async def work_through(self, batcher: FakeBatcher) -> None:
        """Run every job of the stream by a real consumer on one worker, until none is left."""
        runner, name = self.runner(batcher), "a-worker"
        heartbeat = Heartbeat(self.redis, name, self.settings, Clock(), capacity=1, report=dict)
        consumer = StreamConsumer(
            JOBS,
            GROUP,
            name,
            self.limit,
            heartbeat,
            redis=self.redis,
            graceful_timeout=5,
            max_deliveries=1,
            give_up=runner.give_up,
            take_next=runner.take_next,
            has_left=runner.has_left,
        )

        async def deliver(received: Received) -> None:
            assert isinstance(received.data, dict)
            assert received.entry is not None
            request = JobRequest.model_validate_json(body_of(received.data[b"__data__"]))
            await runner.run(request, message_of(received.entry))

        async def none_left() -> bool:
            return not await self.redis.execute("XLEN", JOBS)

        await consumer.start(deliver)
        await until_answer(none_left, seconds=10)
        await consumer.stop()


def message_of(entry: bytes) -> RedisMessage:
    raw = {"type": "stream", "channel": JOBS, "message_ids": [entry], "data": {}}
    return RedisMessage(raw_message=cast(Any, raw), body=b"")


def request_of(job: Job) -> JobRequest:
    return JobRequest(id=job.id, source=job.source, variants=job.variants)

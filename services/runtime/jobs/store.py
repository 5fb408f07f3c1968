"""Job records and their allowed transitions. Owns the jobs' keys; store.lua is what writes them.

A record, the event that tells of it, and its place in a line change together, in one script, so
that nobody hears of a state that is not written, misses one that is, or loses a job between two.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

from faststream.redis.message import bDATA_KEY
from pydantic import ValidationError
from redis.asyncio import Redis

from contracts.control import CONTROL, Cancel
from contracts.errors import REPLAYABLE, Conflict, Failure, KeyReused, NotFound, Overloaded
from contracts.imaging import Blob
from contracts.jobs import (
    DEAD_LETTERS,
    EVENTS,
    JOBS,
    OPEN_STATES,
    DeadLetter,
    Job,
    JobEvent,
    JobRequest,
    JobResult,
    JobState,
    Webhook,
)
from contracts.methods import GROUP
from contracts.operations.pipeline import Pipeline
from services.runtime.faststream_adapter.envelope import Envelope
from services.runtime.jobs.backlog import Backlog
from services.runtime.jobs.records import (
    Fields,
    changing,
    event_from,
    event_of,
    events_of,
    flat,
    job_from,
    jobs_from,
    lasting,
    name_of,
)
from services.runtime.liveness.heartbeat import responders_key, rooms_key
from services.runtime.messaging.envelope import envelope
from services.runtime.messaging.streams import DONE_WITH
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.scripts import Script
from services.runtime.settings import RuntimeSettings

_SCRIPT = Script(files("services.runtime.jobs").joinpath("store.lua").read_text())
_NOBODY = "0" * 32
_RECENT = 0.1  # seconds
_KEYS = [JOBS, EVENTS, DEAD_LETTERS, responders_key(JOBS), rooms_key(JOBS)]


@dataclass(frozen=True)
class Key:
    """An idempotency key: its name in its scope, and what the request was that it stands for."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Given:
    """An entry of the stream that a worker was given, and its job if it is taken up with that."""

    entry: str
    id: str
    job: Job | None


class Jobs:
    """The jobs of the suite."""

    def __init__(self, redis: Redis, settings: RuntimeSettings) -> None:
        self._redis: Any = redis  # the types of its answers are unions over every protocol
        self._settings = settings
        self._wire = Multiplexer(redis)
        self._outlook = -math.inf, Backlog(0, 0, 0, 0.0, 0.0)

    async def submit(
        self,
        source: Blob,
        variants: tuple[Pipeline, ...],
        *,
        submitter: str,
        webhook: Webhook | None = None,
        key: Key | None = None,
    ) -> Job:
        """Accept a job: from here on it is in Redis, and some worker will do it.

        With a key that was used for the same request before: the job that this made. Raises
        KeyReused if it was another request, Overloaded past the limits of count and age.
        """
        now = datetime.now(UTC)
        request = JobRequest(id=uuid4().hex, source=source, variants=variants)
        job = Job(
            **dict(request),
            state=JobState.QUEUED,
            submitter=submitter,
            created_at=now,
            updated_at=now,
            webhook=webhook,
        )
        fields = {**lasting(job), "request": await envelope(request, job.id)}
        what, said = await self._run(
            "submit",
            *(job.id, submitter),
            *(self._settings.max_queue, int(self._settings.max_queue_age * 1000)),
            f"darkroom:idempotency:{key.name}" if key else "",
            *(key.fingerprint if key else "", self._settings.idempotency_ttl),
            await envelope(event_of(job), job.id),
            *flat({**fields, **changing(job)}),
        )
        match what:
            case b"new":
                return job.model_copy(update={"event": said.decode()})
            case b"known":
                return await self.find(said.decode())
            case b"reused":
                raise KeyReused("This idempotency key was used for another request.")
        wait = (await self.outlook()).wait
        raise Overloaded("Too many jobs wait already, or for too long.", retry_after=wait)

    async def events(self, job_id: str, after: str) -> list[JobEvent]:
        """What was told of a job after an event, in order."""
        entries = await self._redis.xrange(events_of(job_id), min=f"({after}")
        return [event_from(entry, fields) for entry, fields in entries]

    async def last_event(self, job_id: str) -> JobEvent | None:
        """What was told of a job last, or None when there is none (any more)."""
        last = ("XREVRANGE", events_of(job_id), "+", "-", "COUNT", 1)
        for entry, fields in await self._wire.execute(*last):
            return event_from(entry, _mapping(fields))
        return None

    async def get(self, job_id: str) -> Job | None:
        """The job as it stands, or None when there is none (any more)."""
        found = await self._wire.execute("HGETALL", name_of(job_id))
        return job_from(_mapping(found)) if found else None

    async def find(self, job_id: str) -> Job:
        """The job as it stands. Raises NotFound."""
        job = await self.get(job_id)
        if job is None:
            raise NotFound("There is no job with this id; its record may have expired.")
        return job

    async def open(self, most: int) -> list[Job]:
        """The jobs that have not ended, those that run first, `most` at most."""
        ids: list[bytes] = []
        for index in ("running", "queued", "later"):
            ids += await self._redis.zrange(f"darkroom:jobs:{index}", 0, most - 1)
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in dict.fromkeys(ids[:most]):
                pipe.hgetall(name_of(job_id.decode()))
            return jobs_from(await pipe.execute())

    async def take(self, request: JobRequest, worker: str, *, entry: str = "") -> Job | None:
        """Take up a job that nobody has had before, in one trip; None for any other.

        When it stops running, `entry` is done with in the same step.
        """
        event, fields = await _taken(request.id, worker, total=len(request.variants))
        found = await self._run("take", request.id, event, *flat({**fields, "entry": entry}))
        return job_from(_mapping(found)) if found else None

    async def take_next(self, worker: str) -> Given | None:
        """As `take`, for the next entry of the stream, which `worker` is given; None without any.

        A job that others have had before is not taken up yet.
        """
        event, fields = await _taken(_NOBODY, worker, total=1)
        given = await self._run("take_next", worker, event, *flat(fields))
        if not given:
            return None
        entry, found = given
        if isinstance(found, bytes):
            body, _ = Envelope.parse(found)
            return Given(entry.decode(), JobRequest.model_validate_json(body).id, None)
        job = job_from(_mapping(found))
        return Given(entry.decode(), job.id, job)

    async def start(self, job: Job, worker: str, *, entry: str = "") -> Job | None:
        """Take the job up; None when it has changed meanwhile.

        What `worker` had already, and takes up again after Redis was away, is no new attempt.
        """
        attempts = job.attempts + (job.worker != worker)
        return await self._change(
            job,
            entry=entry,
            state=JobState.RUNNING,
            attempts=attempts,
            worker=worker,
            token=job.token + 1,
        )

    async def leave(self, entry: str, worker: str) -> None:
        """Be done with an entry that `worker` has, and that no job is taken up with."""
        await self._wire.run(DONE_WITH, [JOBS], [GROUP, entry, worker])

    async def give_back(self, job: Job) -> Job | None:
        """Let another worker have the job at once, as if this one had not tried."""
        return await self._requeue(job, "first", attempts=max(0, job.attempts - 1))

    async def let_others(self, job: Job) -> Job | None:
        """Go to the end of the line, as a job that got on; None if nobody waits there."""
        return await self._requeue(job, "fair", attempts=0)

    async def retry(self, job: Job, problem: Failure, *, delay: float) -> Job | None:
        """Have the job tried again in `delay` seconds."""
        due = datetime.now(UTC) + timedelta(seconds=delay)
        where = str(int(delay * 1000))
        return await self._requeue(job, where, problem=problem, not_before=due)

    async def add_result(self, job: Job, result: JobResult) -> Job | None:
        """Note that one more variant is done; with the last one the job ends.

        It gets on, so its attempts count anew. One without any result has failed, and is a dead
        letter if that was not its own fault.
        """
        results = (*job.results, result)
        got_on: dict[str, Any] = {"results": results, "problem": None}
        if len(results) < len(job.variants):
            return await self._change(job, **got_on, attempts=1)
        problems = [result.problem for result in results if result.problem is not None]
        if len(problems) < len(results):
            return await self._change(job, **got_on, state=JobState.SUCCEEDED)
        got_on["problem"] = next((one for one in problems if one.code in REPLAYABLE), problems[0])
        return await self._change(job, **got_on, state=JobState.FAILED)

    async def cancel(self, job_id: str) -> Job:
        """End a job that is open. Raises NotFound, and Conflict for one that has ended."""
        while True:
            job = await self.find(job_id)
            if job.state is JobState.CANCELLED:
                return job
            if job.state not in OPEN_STATES:
                raise Conflict(f"The job has {job.state} already.")
            if cancelled := await self._change(job, state=JobState.CANCELLED):
                # A worker that misses this finishes for nothing: it can't write any more.
                stop = await envelope(Cancel(subject=job_id), job_id)
                await self._redis.publish(CONTROL, stop)
                return cancelled

    async def dead_letters(self, most: int) -> list[DeadLetter]:
        """The jobs that were given up, the latest first."""
        entries = await self._redis.xrevrange(DEAD_LETTERS, count=most)
        letters = []
        for _, fields in entries:
            # One that another version wrote may say what this one can't read.
            with suppress(ValidationError):
                body, _ = Envelope.parse(fields[bDATA_KEY])
                letters.append(DeadLetter.model_validate_json(body))
        return letters

    async def requeue(self, job_id: str) -> Job:
        """Bring a dead letter back, as if it had never been tried.

        Raises NotFound where there is none, or no record of its job any more.
        """
        job = await self.find(job_id)
        anew = job.model_copy(
            update={
                **{"state": JobState.QUEUED, "results": (), "attempts": 0, "worker": None},
                **{"problem": None, "updated_at": datetime.now(UTC)},
            }
        )
        event = await envelope(event_of(anew), job.id)
        entry = await self._run("requeue", job.id, event, *flat(changing(anew)))
        if not entry:
            raise NotFound("No dead letter has this id; it may have been brought back already.")
        return anew.model_copy(update={"event": entry.decode()})

    async def outlook(self) -> Backlog:
        """What is before a job that is accepted now."""
        queued, running, later, age, ended = await self._run("outlook")
        found = Backlog(queued, running, later, age / 1000, ended / 60)
        self._outlook = time.monotonic(), found
        return found

    async def recent_outlook(self) -> Backlog:
        """As `outlook`, or what it was a moment ago: close enough for whole seconds."""
        at, found = self._outlook
        return found if time.monotonic() - at < _RECENT else await self.outlook()

    async def run_maintenance(self, process: str, *, life: float) -> bool:
        """Line up the retries that are due; False if another process keeps house.

        Who does it keeps it for `life` seconds after the last time.
        """
        return bool(await self._run("run_maintenance", process, int(life * 1000)))

    async def adopt_orphans(self, *, age: float) -> list[Job]:
        """Line up again the open jobs that had lost their place `age` seconds ago."""
        adopted = []
        for job_id in await self._run("orphans", int(age * 1000), 100):
            record = await self._wire.execute("HGETALL", name_of(job_id.decode()))
            for job in jobs_from([_mapping(record)]):
                if queued := await self._requeue(job, "first"):
                    adopted.append(queued)
        return adopted

    async def trim(self) -> None:
        """Forget the events and dead letters that are older than a job's record can be."""
        seconds, _ = await self._redis.time()
        oldest = f"{(seconds - 2 * self._settings.job_ttl) * 1000}-0"
        for stream in (EVENTS, DEAD_LETTERS):
            await self._redis.xtrim(stream, minid=oldest, approximate=True)

    async def _requeue(self, job: Job, where: str, **update: Any) -> Job | None:
        return await self._change(job, where, state=JobState.QUEUED, worker=None, **update)

    async def _change(
        self, job: Job, where: str = "last", *, entry: str | None = None, **update: Any
    ) -> Job | None:
        """The job as it stands then; None for who has lost it."""
        update = {"not_before": None, **update, "updated_at": datetime.now(UTC)}
        changed = job.model_copy(update=update)
        fields = changing(changed, since=job)
        if entry is not None:
            fields["entry"] = entry
        done = await self._run(
            "change",
            *(job.id, job.state, job.token, changed.state, where, self._settings.job_ttl),
            await envelope(event_of(changed), job.id),
            await self._dead_letter(changed),
            *flat(fields),
        )
        return changed.model_copy(update={"event": done.decode()}) if done else None

    async def _dead_letter(self, job: Job) -> bytes:
        problem = job.problem
        if job.state is not JobState.FAILED or problem is None or problem.code not in REPLAYABLE:
            return b""
        letter = DeadLetter(
            job=job.id,
            problem=problem,
            attempts=job.attempts,
            at=job.updated_at,
            request=JobRequest(id=job.id, source=job.source, variants=job.variants),
        )
        return await envelope(letter, job.id)

    async def _run(self, *args: Any) -> Any:
        return await self._wire.run(_SCRIPT, _KEYS, list(args))


async def _taken(job_id: str, worker: str, *, total: int) -> tuple[bytes, Fields]:
    """What is told, and written, of a job that is taken up for the first time."""
    running, now = JobState.RUNNING, datetime.now(UTC)
    event = JobEvent(job=job_id, state=running, done=0, total=total, at=now)
    fields: Fields = {"state": running, "token": "1", "attempts": "1", "worker": worker}
    return await envelope(event, job_id), {**fields, "updated_at": now.isoformat()}


def _mapping(answer: Any) -> dict[bytes, bytes]:
    """A hash: a mapping in RESP 3, names and values in turn in RESP 2."""
    return answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))

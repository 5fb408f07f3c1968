"""Job records and their allowed transitions. Owns the records' keys and the Lua that writes them.

A record and the event that tells of it change together, in one script, so that nobody hears of a
state that is not written or misses one that is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from faststream.redis.message import DATA_KEY
from redis.asyncio import Redis

from contracts.errors import Failure
from contracts.imaging import Blob
from contracts.jobs import EVENTS, JOBS, Job, JobEvent, JobRequest, JobResult, JobState
from contracts.operations import Pipeline
from services.runtime.envelope import envelope
from services.runtime.settings import RuntimeSettings

_EVENTS_KEPT = 10_000

# KEYS: record, jobs, events. ARGV: life, event, request, events kept, data key, field, value, ...
_SUBMIT = """
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], '*', ARGV[5], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', ARGV[5], ARGV[2])
"""

# KEYS: record, events. ARGV: state and last change that the writer believes in, life, event,
# events kept, data key, field, value, ... Whoever has seen an older record can't write.
_CHANGE = """
local was = redis.call('HMGET', KEYS[1], 'state', 'updated_at')
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 7))
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', ARGV[6], ARGV[4])
return 1
"""


class Jobs:
    """The jobs of the suite."""

    def __init__(self, redis: Redis, settings: RuntimeSettings) -> None:
        self._redis = redis
        self._settings = settings

    async def submit(self, source: Blob, variants: tuple[Pipeline, ...]) -> Job:
        """Accept a job: from here on it is in Redis, and some worker will do it."""
        now = datetime.now(UTC)
        request = JobRequest(id=uuid4().hex, source=source, variants=variants)
        job = Job(**dict(request), state=JobState.QUEUED, created_at=now, updated_at=now)
        fields = {"request": request.model_dump_json(), "created_at": now.isoformat()}
        await self._redis.register_script(_SUBMIT)(
            keys=[_name(job.id), JOBS, EVENTS],
            args=[
                self._settings.job_ttl,
                await envelope(event_of(job), job.id),
                await envelope(request, job.id),
                _EVENTS_KEPT,
                DATA_KEY,
                *_flat({**fields, **_changing(job)}),
            ],
        )
        return job

    async def get(self, job_id: str) -> Job | None:
        """The job as it stands, or None when there is none (any more)."""
        found = cast(dict[bytes, bytes], await self._redis.hgetall(_name(job_id)))
        row = {name.decode(): value.decode() for name, value in found.items()}
        if not row:
            return None
        request = JobRequest.model_validate_json(row["request"])
        results = [row[name] for i in range(len(request.variants)) if (name := _result(i)) in row]
        return Job(
            **dict(request),
            state=JobState(row["state"]),
            attempts=int(row["attempts"]),
            worker=row.get("worker") or None,
            results=tuple(map(JobResult.model_validate_json, results)),
            created_at=datetime.fromisoformat(row["created_at"]),
            updated_at=datetime.fromisoformat(row["updated_at"]),
            problem=Failure.model_validate_json(row["problem"]) if "problem" in row else None,
        )

    async def start(self, job: Job, worker: str) -> Job | None:
        """Take the job up; None when another has written meanwhile.

        What `worker` had already, and takes up again after Redis was away, is no new attempt.
        """
        attempts = job.attempts + (job.worker != worker)
        return await self._change(job, state=JobState.RUNNING, attempts=attempts, worker=worker)

    async def give_back(self, job: Job) -> Job | None:
        """Let another worker have the job, as if this one had not tried."""
        return await self._change(
            job, state=JobState.QUEUED, attempts=max(0, job.attempts - 1), worker=None
        )

    async def add_result(self, job: Job, result: JobResult) -> Job | None:
        """Note that one more variant is done; the job gets on, so its attempts count anew."""
        return await self._change(job, results=(*job.results, result), attempts=1)

    async def succeed(self, job: Job) -> Job | None:
        """End the job; it has at least one result."""
        return await self._change(job, state=JobState.SUCCEEDED)

    async def fail(self, job: Job, problem: Failure) -> Job | None:
        """End the job without a result."""
        return await self._change(job, state=JobState.FAILED, problem=problem)

    async def _change(self, job: Job, **update: object) -> Job | None:
        changed = job.model_copy(update={**update, "updated_at": datetime.now(UTC)})
        fields = _changing(changed)
        if len(changed.results) > len(job.results):
            last = len(changed.results) - 1
            fields[_result(last)] = changed.results[last].model_dump_json()
        written = await self._redis.register_script(_CHANGE)(
            keys=[_name(job.id), EVENTS],
            args=[
                job.state.value,
                job.updated_at.isoformat(),
                self._settings.job_ttl,
                await envelope(event_of(changed), job.id),
                _EVENTS_KEPT,
                DATA_KEY,
                *_flat(fields),
            ],
        )
        return changed if written else None


def event_of(job: Job) -> JobEvent:
    """What there is to tell of a job as it stands."""
    return JobEvent(
        job=job.id,
        state=job.state,
        done=len(job.results),
        total=len(job.variants),
        at=job.updated_at,
        problem=job.problem,
    )


def _name(job_id: str) -> str:
    return f"darkroom:job:{job_id}"


def _result(index: int) -> str:
    return f"result:{index}"


def _changing(job: Job) -> dict[str, str]:
    """The fields of a record that change with its state."""
    fields = {
        "state": job.state.value,
        "attempts": str(job.attempts),
        "worker": job.worker or "",
        "updated_at": job.updated_at.isoformat(),
    }
    if job.problem is not None:
        fields["problem"] = job.problem.model_dump_json()
    return fields


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [part for pair in fields.items() for part in pair]

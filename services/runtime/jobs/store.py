"""Jobs as the gateway uses them: accept, find, cancel, requeue, and say how long the queue is."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex

import structlog

from contracts.access.keys import DEFAULT_PROJECT
from contracts.control import CONTROL, Cancel
from contracts.errors import Conflict, Gone, KeyReused, NotFound, Overloaded
from contracts.fields import BlobKey
from contracts.imaging import Blob
from contracts.jobs import (
    DEAD_LETTERS,
    EVENTS,
    OPEN_STATES,
    Job,
    JobEvent,
    JobState,
    Webhook,
)
from contracts.operations.pipeline import Pipeline, images_of
from services.runtime.jobs.backlog import Backlog
from services.runtime.jobs.dead_letters import DeadLetters
from services.runtime.jobs.leases import Leases
from services.runtime.jobs.open_jobs import open_jobs
from services.runtime.jobs.orphans import Orphans
from services.runtime.jobs.own_events import last_events, own_events, text_of
from services.runtime.jobs.records import (
    event_of,
    flattened,
    job_from,
    moment,
    named_project,
    new_fields,
    packed_event,
    request_start,
    state_fields,
)
from services.runtime.jobs.transitions import Transitions
from services.runtime.messaging.envelope import headers_of, pack_json, pack_message
from services.runtime.messaging.unreadable import Damaged, UnknownVersion
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.stream_entries import entries_from
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.tracing import trace_headers

log = structlog.get_logger(__name__)

_LATE_AGAIN = 5_000  # milliseconds after which a late job that could not be ended is tried again


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's key, scoped to that client, and a fingerprint of the request it stands for."""

    name: str
    fingerprint: str


class Jobs:
    """The jobs of the suite. All methods raise what `RedisClient` raises."""

    def __init__(self, redis: RedisClient, settings: RuntimeSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._transitions = Transitions(redis, settings)
        self.leases = Leases(self._transitions)
        """A worker's side."""
        self.dead_letters = DeadLetters(redis, settings, self._transitions)
        self.orphans = Orphans(self._transitions, self.dead_letters, job_ttl=settings.job_ttl)

    async def submit(
        self,
        image: BlobKey,
        variants: tuple[Pipeline, ...],
        *,
        submitter: str,
        job_id: str | None = None,
        project: str = DEFAULT_PROJECT,
        line: str | None = None,
        webhook: Webhook | None = None,
        key: IdempotencyKey | None = None,
        timeout: float | None = None,
        label: str = "",
    ) -> Job:
        """Accept a job: once this returns, the job is in Redis and a worker will do it.

        `image` is the source. The job's images are kept while it is open. `timeout` counts in
        seconds until the job has to end, and is cut to the setting `job_timeout`. `label` is a name
        for people, the image's own one if it is empty; so is the submitter if there is another
        `line` of the queue. With a key that was used for the same request before, return that
        request's job, whose id is not `job_id`. Raises KeyReused for another request, Overloaded
        past the limits of number and age, NotFound for an image that the project has not.
        """
        now, job_id = datetime.now(UTC), job_id or token_hex(16)
        # Workers and webhooks continue the trace of the submission.
        request = pack_json(request_start(job_id, variants), job_id, trace_headers())
        line, total = line or submitter, len(variants)
        fields = new_fields(now, submitter, total, webhook, project, line)
        milliseconds = self._milliseconds(timeout)
        if milliseconds != self._milliseconds():
            fields["timeout"] = str(milliseconds)
        event = JobEvent(job=job_id, state=JobState.QUEUED, done=0, total=total, at=now)
        outcome, detail, *found = await self._transitions.run(
            "submit",
            *(job_id, project, line),
            *(self._settings.max_queue, int(self._settings.max_queue_age * 1000)),
            keys.idempotency(key.name) if key else "",
            *(key.fingerprint if key else "", self._settings.idempotency_ttl),
            *(" ".join(images_of(image, variants)), milliseconds),
            *(label, packed_event(event), text_of(event), request),
            *flattened(fields),
        )
        match outcome:
            case b"new":
                deadline, media_type, size, name = found
                return Job(
                    id=job_id,
                    state=JobState.QUEUED,
                    source=Blob(key=image, media_type=media_type.decode(), bytes=int(size)),
                    variants=variants,
                    submitter=submitter,
                    label=name.decode(errors="replace") or None,
                    created_at=now,
                    updated_at=now,
                    deadline=moment(deadline),
                    webhook=webhook.receiver if webhook else None,
                    event=detail.decode(),
                )
            case b"known":
                return await self.find(project, detail.decode())
            case b"reused":
                raise KeyReused("This idempotency key was used for another request.")
            case b"missing":
                raise _missing(detail)
        wait = (await self.backlog()).wait
        raise Overloaded("Too many jobs wait already, or for too long.", retry_after=wait)

    async def events(self, job_ids: Sequence[str], after: str) -> list[JobEvent]:
        """Return the events of some jobs after the id `after`: job by job, each in order."""
        return await own_events(self._redis, job_ids, after)

    async def latest_event(self) -> str | None:
        """Return the id of the latest event of all jobs; None before the first one."""
        reply = await self._redis.execute("XREVRANGE", EVENTS, "+", "-", "COUNT", 1)
        return next((entry.decode() for entry, _ in entries_from(reply)), None)

    async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
        """Return the last event of each job of a project; others, and forgotten ones, have none."""
        return await last_events(self._redis, project, job_ids)

    async def get(self, job_id: str) -> Job | None:
        """Return the job as it is now, or None when there is none or it is forgotten.

        Raises UnknownVersion, and Damaged.
        """
        return await self._transitions.read(job_id)

    async def webhook_of(self, job_id: str) -> tuple[Webhook | None, str, dict[str, str]]:
        """Return the receiver that the job's end is reported to, or None, and the job's project.

        With it come the headers of the job's request: they have the trace context, if there is one.
        """
        names = "webhook", "project", "request"
        webhook, owner, request = await self._redis.execute("HMGET", keys.job(job_id), *names)
        receiver = Webhook.model_validate_json(webhook) if webhook else None
        return receiver, named_project(owner), headers_of(request or b"")

    async def find(self, project: str, job_id: str) -> Job:
        """Return a job of a project as it is now.

        Raises NotFound, for a job of another project as well; Gone for a damaged one;
        UnknownVersion.
        """
        try:
            record = await self._transitions.record(job_id)
            if not record or named_project(record.get(b"project")) != project:
                raise NotFound("There is no job with this id; its record may have expired.")
            return job_from(record)
        except Damaged as exc:
            raise Gone(f"{exc.detail} See its dead letter, if the job was open.") from exc

    async def life(self, job_id: str) -> float:
        """Return the seconds for which the record stays at least; 0 where there is none."""
        left: int = await self._redis.execute("PTTL", keys.job(job_id))
        # An open job has no end yet, and is kept for so long once it has ended.
        return float(self._settings.job_ttl) if left == -1 else max(0, left) / 1000

    def open(self, project: str, most: int) -> AsyncIterator[Job]:
        """Yield open jobs of a project, `most` at most, as `open_jobs`."""
        return open_jobs(self._transitions, project, most)

    async def cancel(self, project: str, job_id: str) -> Job:
        """End an open job. Raises as `find`, and Conflict for one that has ended."""
        while True:
            job = await self.find(project, job_id)
            if job.state is JobState.CANCELLED:
                return job
            if job.state not in OPEN_STATES:
                raise Conflict(f"The job has {job.state} already.")
            if cancelled := await self._transitions.change(job, state=JobState.CANCELLED):
                await self._stop_worker(job_id)
                return cancelled

    async def requeue(self, project: str, job_id: str) -> Job:
        """Queue a dead letter's job again, as if it had never been tried.

        Raises NotFound when there is no such dead letter, its job's record has expired, or one of
        its images is not stored. Raises as `find`.
        """
        job = await self.find(project, job_id)
        fresh = job.model_copy(
            update={
                **{"state": JobState.QUEUED, "results": (), "attempts": 0, "worker": None},
                **{"problem": None, "updated_at": datetime.now(UTC)},
            }
        )
        event = event_of(fresh)
        sent = packed_event(event), text_of(event)
        timeout = self._milliseconds()  # unless the record has one
        requeued = await self._transitions.run(
            *("requeue", job.id, " ".join(job.images), timeout, *sent),
            *flattened(state_fields(fresh)),
        )
        match requeued:
            case None:
                raise NotFound("No dead letter has this id; it may have been brought back already.")
            case [b"missing", image]:
                raise _missing(image)
        entry, deadline = requeued
        return fresh.model_copy(update={"event": entry.decode(), "deadline": moment(deadline)})

    async def backlog(self) -> Backlog:
        """Return how much work is ahead of a job that is accepted now."""
        queued, running, later, age, ended = await self._transitions.run("backlog")
        return Backlog(queued, running, later, age / 1000, ended / 60)

    async def run_maintenance(self, process: str, *, lease: float) -> bool:
        """Queue up to 100 retries that are due, feed new workers, and end up to 100 late jobs.

        Return True if `process` leads, and False if another process does. Each call renews the
        leader's lease by `lease` seconds.
        """
        times = int(lease * 1000), _LATE_AGAIN, self._settings.job_ttl
        late = await self._transitions.run("run_maintenance", process, *times)
        for job_id in late or ():
            await self._end_late(job_id.decode())
        return late is not None

    async def _end_late(self, job_id: str) -> None:
        """End a job whose deadline has passed, unless it changes meanwhile.

        A job of another version is left to a process that can read it.
        """
        with suppress(UnknownVersion):
            job = await self.dead_letters.read_or_quarantine(job_id)
            if job and job.state in OPEN_STATES and await self.dead_letters.end_late(job):
                await self._stop_worker(job_id)
                log.info("job ended late", job=job_id, state=job.state)

    async def _stop_worker(self, job_id: str) -> None:
        """Tell the worker that has the job to stop. One that misses this can't write its result."""
        stop = pack_message(Cancel(subject=job_id), job_id)
        await self._redis.execute("PUBLISH", CONTROL, stop)

    async def trim(self) -> None:
        """Delete events and dead letters older than any job's record can be.

        The dead letters of other projects than `default` are trimmed when one is added.
        """
        seconds, _ = await self._redis.execute("TIME")
        oldest = f"{(int(seconds) - 2 * self._settings.job_ttl) * 1000}-0"
        await self._redis.pipeline(
            ("XTRIM", stream, "MINID", "~", oldest) for stream in (EVENTS, DEAD_LETTERS)
        )

    def _milliseconds(self, timeout: float | None = None) -> int:
        longest = self._settings.job_timeout
        return int(min(timeout or longest, longest) * 1000)


def _missing(image: bytes) -> NotFound:
    return NotFound(f"The image {image.decode()} is not stored, or has expired; upload it again.")

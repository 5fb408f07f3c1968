"""The search for orphans: open jobs that are in no queue and with no living worker."""

from contracts.jobs import Job
from services.runtime.jobs.dead_letters import DeadLetters
from services.runtime.jobs.transitions import Transitions
from services.runtime.messaging.unreadable import UnknownVersion

_AT_ONCE = 250  # jobs that one look at an index takes
_LOOKS = 8  # in one search; the next one goes on from there


class Orphans:
    """The orphans of the suite. All methods raise what `RedisClient` raises."""

    def __init__(
        self, transitions: Transitions, dead_letters: DeadLetters, *, job_ttl: int
    ) -> None:
        self._transitions = transitions
        self._dead_letters = dead_letters
        self._job_ttl = job_ttl
        self._place = "queued", "0"  # an index and the cursor in it

    async def requeue(self, *, age: float) -> list[Job]:
        """Queue jobs again that have been orphans for `age` seconds, and return them.

        A call looks at 2,000 open jobs, and the next one goes on from there. A job whose record is
        damaged is quarantined. One that has ended, or has no record, leaves every index.
        """
        requeued, ends = list[Job](), 0
        for _ in range(_LOOKS):
            index, cursor = self._place
            ages = int(age * 1000), self._job_ttl
            found = await self._transitions.run("orphans", index, cursor, _AT_ONCE, *ages)
            cursor, orphans = found[0].decode(), [job_id.decode() for job_id in found[1]]
            for job_id in orphans:
                if queued := await self._requeue(job_id):
                    requeued.append(queued)
            if cursor == "0":
                index, ends = "running" if index == "queued" else "queued", ends + 1
            self._place = index, cursor
            if ends == 2:
                break
        return requeued

    async def _requeue(self, job_id: str) -> Job | None:
        try:
            job = await self._dead_letters.read_or_quarantine(job_id)
        except UnknownVersion:
            await self._transitions.run("pass_on", job_id)
            return None
        return await self._transitions.queue(job, "first") if job else None

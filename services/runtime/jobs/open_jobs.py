"""The list of a project's open jobs, found among those of all projects."""

from collections.abc import AsyncIterator
from contextlib import suppress

from contracts.jobs import Job
from services.runtime.jobs.transitions import Transitions
from services.runtime.messaging.unreadable import Damaged, UnknownVersion
from services.runtime.redis import keys

_AT_ONCE = 500  # jobs of an index that Redis looks at in one step: half a millisecond
_AGAIN = 50  # of them in the next step, too: others may have left the index meanwhile


async def open_jobs(transitions: Transitions, project: str, most: int) -> AsyncIterator[Job]:
    """Yield open jobs, `most` at most: running ones, then queued ones, then retries.

    Those that can't be read are left out. Each job is read when it is asked for: a record may have
    300 KB.
    """
    ids = dict[bytes, None]()
    for index in (keys.JOBS_RUNNING, keys.JOBS_QUEUED, keys.JOBS_LATER):
        first, looked_at = 0, _AT_ONCE
        while looked_at == _AT_ONCE and len(ids) < most:
            last = first + _AT_ONCE - 1
            looked_at, own = await transitions.run("open", project, index, first, last)
            ids |= dict.fromkeys(own)
            first += _AT_ONCE - _AGAIN
    for job_id in list(ids)[:most]:
        with suppress(Damaged, UnknownVersion):
            if job := await transitions.read(job_id.decode()):
                yield job

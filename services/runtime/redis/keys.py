"""The name of every key in Redis. Addresses of messages (`contracts.methods`) are not here.

Names are kept from version to version: what an older one has stored stays readable.
"""

from hashlib import sha256

from contracts.access.keys import DEFAULT_PROJECT

PREFIX = "darkroom:"

WRITE_PROBE = f"{PREFIX}probe"
"""String that never exists: the key of the command that shows whether Redis accepts writes."""

WORKERS = f"{PREFIX}workers"
"""Hash: what each worker last reported of itself, by name."""

JOB = f"{PREFIX}job:"
"""Prefix of the hash that is a job's record; its events are the list `...:log`."""

JOB_LINE = f"{PREFIX}jobs:line:"
"""Prefix of the list of a submitter's queued jobs."""

JOB_TURNS = f"{PREFIX}jobs:turns"
"""List: the submitters who have queued jobs, in the order of their turns."""

JOBS_QUEUED = f"{PREFIX}jobs:queued"
"""Sorted set: queued jobs by the moment (ms) at which they were queued."""

JOBS_RUNNING = f"{PREFIX}jobs:running"
"""Sorted set: running jobs by the moment (ms) at which they started."""

JOBS_LATER = f"{PREFIX}jobs:later"
"""Sorted set: jobs that wait for a retry, by the moment (ms) at which it is due."""

JOBS_DEADLINES = f"{PREFIX}jobs:deadlines"
"""Sorted set: open jobs by their deadline (ms)."""

JOBS_ENDED = f"{PREFIX}jobs:ended:"
"""Prefix of the counters of ended jobs, one for each ten seconds."""

QUARANTINE = f"{PREFIX}quarantine:"
"""Prefix of the hash of a stream entry that nobody could read, by project and dead letter."""

MAINTENANCE_LEADER = f"{PREFIX}housekeeper"
"""String: the process that does the maintenance."""

WEBHOOKS_DUE = f"{PREFIX}webhooks"
"""Sorted set: jobs whose end a webhook has to report, by the moment (ms) at which that is due."""

WEBHOOK_ATTEMPTS = f"{PREFIX}webhooks:attempts"
"""Hash: how often each of these deliveries was attempted."""


def responders(address: str) -> str:
    """Sorted set: the workers that serve `address`, by the moment (ms) at which they count as
    dead."""
    return f"{PREFIX}responders:{address}"


def capacities(address: str) -> str:
    """Hash: how many messages each worker that serves `address` takes at once."""
    return f"{PREFIX}rooms:{address}"


def job(job_id: str) -> str:
    """Hash: a job's record."""
    return f"{JOB}{job_id}"


def job_events(job_id: str) -> str:
    """List: a job's own events, as short texts."""
    return f"{JOB}{job_id}:log"


def job_events_1(job_id: str) -> str:
    """Stream: the events of a job that a process of version 1 of records has written."""
    return f"{JOB}{job_id}:events"


def idempotency(name: str) -> str:
    """Hash: the job and the request that an idempotency key stands for."""
    return f"{PREFIX}idempotency:{name}"


IMAGE = f"{PREFIX}image:"
"""Prefix of the hash of an image: `blob` of the kind `image`."""


def blob(kind: str, digest: str) -> str:
    """Hash: the bytes of an image or a rendition, and what is known about them."""
    return f"{PREFIX}{kind}:{digest}"


def renditions_of(image: str) -> str:
    """Sorted set: the renditions that were made from an image, by the time (s) of their end."""
    return f"{IMAGE}{image}:renditions"


def purged(image: str) -> str:
    """String: exists for a while after an image was deleted, unless it is uploaded again."""
    return f"{IMAGE}{image}:purged"


def claim(reply_to: str) -> str:
    """String: the worker that has claimed the request with this reply channel."""
    return f"{PREFIX}claim:{reply_to}"


def render_claim(rendition: str) -> str:
    """String: the worker that renders a rendition now, with a mark if another worker waits."""
    return f"{PREFIX}render-claim:{rendition}"


def webhook_disabled(project: str, url: str) -> str:
    """String: exists while a receiver wants no more webhooks of a project."""
    name = url if project == DEFAULT_PROJECT else f"{project}\n{url}"
    return f"{PREFIX}webhooks:disabled:{sha256(name.encode()).hexdigest()}"


def images_of(project: str) -> str:
    """Sorted set: the kept images of a project by the moment (ms) of their upload."""
    return f"{PREFIX}images:{project}"


def details_of(image: str) -> str:
    """String: the long description of an image, for a while."""
    return f"{IMAGE}{image}:details"


def origin(address: str) -> str:
    """String: what a source has sent for an address, and for how long that counts."""
    return f"{PREFIX}origin:{address}"


def origin_failure(address: str) -> str:
    """String: exists for some seconds after a source has failed to send an original."""
    return f"{PREFIX}origin:{address}:failure"


def origin_claim(address: str) -> str:
    """String: the owner of the fetch of an original that is under way."""
    return f"{PREFIX}origin:{address}:claim"


STORE = f"{PREFIX}store"
"""String: the id of the store of bytes, which all services use."""

STORE_USAGE = f"{PREFIX}store:usage"
"""Hash: how many objects and bytes are in the store, by project and place."""

STORE_RESERVED = f"{PREFIX}store:reserved"
"""Sorted set: room for bytes that are being stored, as "project:bytes:name", by the moment (ms)."""

STORE_DELETING = f"{PREFIX}store:deleting"
"""Sorted set: paths whose bytes are being deleted from the store, by the moment (ms) it began."""

HOT = f"{PREFIX}hot"
"""Hash: the bytes of each small blob that lies in Redis and may move to the store."""

HOT_BYTES = f"{PREFIX}hot:bytes"
"""String: their sum."""


def store_work(work: str) -> str:
    """String: the process that has begun periodic work on the store; exists until it is due."""
    return f"{PREFIX}store:work:{work}"


API_KEYS = f"{PREFIX}keys"
"""Hash: the record of each API key, by its id."""

API_KEYS_VERSION = f"{PREFIX}keys:version"
"""String: another one after each change of a record."""


def removed_api_keys(project: str) -> str:
    """Sorted set: ids of a project's API keys that were removed, by when they were made (s)."""
    return f"{PREFIX}keys:removed:{project}"


SESSION_SECRET = f"{PREFIX}keys:sessions"
"""String: the random secret that signs session cookies."""


def rates_of(caller: str) -> str:
    """Hash: when the calls and the pixels that a caller has taken are refilled (us)."""
    return f"{PREFIX}rates:{caller}"


def day_of(owner: str) -> str:
    """Hash: the day (UTC) of the latest renders of a project or a key, and their pixels."""
    return f"{PREFIX}day:{owner}"

"""Tables for a terminal: images, jobs, dead letters, presets, workers and queues."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from contracts.access.presets import Preset
from contracts.jobs import DeadLetter, Job
from darkroom.command.terminal import printable
from darkroom.images import KeptImage
from darkroom.keys import ApiKey
from darkroom.query import query_of
from darkroom.system import System


def images_table(images: Sequence[KeptImage]) -> Table:
    """Return a table with a row for each image."""
    table = _table("Image", "Label", "Type", "Size", "Bytes", "Age", "Expires")
    for image in images:
        size = f"{image.width} x {image.height}" if image.width else ""
        expires = f"{image.expires:%Y-%m-%d %H:%M:%S %Z}" if image.expires else "never"
        described = (image.id, image.label or "", image.media_type, size, f"{image.bytes:,}")
        table.add_row(*map(printable, (*described, _age(image.created), expires)))
    return table


def jobs_table(jobs: Sequence[Job]) -> Table:
    """Return a table with a row for each job."""
    table = _table("Job", "Label", "State", "Done", "Tries", "Age", "Submitter", "Worker")
    for job in jobs:
        done = f"{len(job.results)}/{len(job.variants)}"
        label, tries, age = job.label or "", str(job.attempts), _age(job.created_at)
        row = (job.id, label, job.state, done, tries, age, job.submitter, job.worker or "")
        table.add_row(*map(printable, row))
    return table


def job_table(job: Job, *, gateway: str) -> Table:
    """Return a table of names and values for one job.

    `gateway` is the origin whose guide has a page for each code of a failure.
    """
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "Job": job.id,
        "Label": job.label or "",
        "State": job.state.value,
        "Submitter": job.submitter,
        "Source": f"{job.source.media_type}, {job.source.bytes:,} bytes",
        "Accepted": f"{job.created_at:%Y-%m-%d %H:%M:%S %Z}",
        "Changed": f"{job.updated_at:%Y-%m-%d %H:%M:%S %Z}",
        "Tries": str(job.attempts),
        "Worker": job.worker or "",
        "Problem": f"{job.problem.code}: {job.problem.detail}" if job.problem else "",
    }
    for index, pipeline in enumerate(job.variants):
        rows[f"Variant {index}"] = " ".join(f"{name}={value}" for name, value in query_of(pipeline))
        if index < len(job.results):
            rows[f"Result {index}"] = _result(job, index)
    for code in _codes(job):
        rows[f"About {code}"] = f"{gateway.rstrip('/')}/guide/errors/{code}"
    for name, value in rows.items():
        if value:
            table.add_row(name, printable(value))
    return table


def dead_letters_table(letters: Sequence[DeadLetter]) -> Table:
    """Return a table with a row for each dead letter."""
    table = _table("Job", "Tries", "Age", "Code", "Detail")
    for letter in letters:
        problem = letter.problem
        name = letter.job or letter.id or ""
        row = (name, str(letter.attempts), _age(letter.at), problem.code, problem.detail)
        table.add_row(*map(printable, row))
    return table


def keys_table(keys: Sequence[ApiKey]) -> Table:
    """Return a table with a row for each key."""
    table = _table("Key", "Name", "Project", "Scopes", "Age", "Ends")
    for key in keys:
        ends = f"{key.expires:%Y-%m-%d %H:%M:%S %Z}" if key.expires else "never"
        if key.revoked:
            ends = f"revoked {key.revoked:%Y-%m-%d %H:%M:%S %Z}"
        row = (key.id, key.name, key.project, " ".join(key.scopes), _age(key.created), ends)
        table.add_row(*map(printable, row))
    return table


def presets_table(presets: Sequence[Preset]) -> Table:
    """Return a table with a row for each preset."""
    table = _table("Preset", "Variables", "Operations", "Output", "Version")
    for preset in presets:
        variables = "; ".join(
            f"{name}={', '.join(map(str, values))}" for name, values in preset.vary.items()
        )
        output = " ".join(f"{name}={value}" for name, value in preset.output.items())
        version = str(preset.version or "")
        row = (preset.name, variables, " ".join(preset.op), output, version)
        table.add_row(*map(printable, row))
    return table


def system_tables(system: System) -> Group:
    """Return three tables: workers, queues, and the open jobs."""
    workers = _table("Worker", "Host", "Busy", "Slots", "Started")
    for name, heartbeat in system.workers.items():
        fields = (str(heartbeat.get(field, "")) for field in ("host", "busy", "slots", "started"))
        workers.add_row(printable(name), *map(printable, fields))
    queues = _table("Queue", "Waiting", "Oldest")
    for name, queue in system.queues.items():
        queues.add_row(printable(name), str(queue.waiting), f"{queue.age:.1f} s")
    open_jobs = _table("Jobs queued", "Running", "Waiting for retry", "Oldest", "Ended")
    jobs = system.jobs
    counts = map(str, (jobs.queued, jobs.running, jobs.later))
    open_jobs.add_row(*counts, f"{jobs.age:.1f} s", f"{jobs.rate:.2f}/s")
    return Group(workers, queues, open_jobs)


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    # The first column is the argument of other commands, so it is never shortened.
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, overflow="fold")
    return table


def _result(job: Job, index: int) -> str:
    result = job.results[index]
    if result.problem is not None:
        return f"{result.problem.code}: {result.problem.detail}"
    assert result.blob is not None
    size = f"{result.width} x {result.height}"
    return f"{result.blob.media_type}, {size}, {result.blob.bytes:,} bytes"


def _codes(job: Job) -> Iterable[str]:
    """Return the codes of the job's failures and of its variants', each once."""
    problems = [job.problem, *(result.problem for result in job.results)]
    return dict.fromkeys(problem.code for problem in problems if problem is not None)


def _age(since: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"

"""Jobs, dead letters, workers and queues as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from contracts.jobs import DeadLetter, Job
from darkroom.query import query_of
from darkroom.system import System
from darkroom.terminal import plain


def jobs_table(jobs: Sequence[Job]) -> Table:
    """A line for each job."""
    table = _table("Job", "State", "Done", "Tries", "Age", "Submitter", "Worker")
    for job in jobs:
        done = f"{len(job.results)}/{len(job.variants)}"
        row = (job.id, job.state, done, str(job.attempts), _age(job.created_at), job.submitter)
        table.add_row(*map(plain, (*row, job.worker or "")))
    return table


def job_table(job: Job) -> Table:
    """Everything about one job."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "Job": job.id,
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
    for name, value in rows.items():
        if value:
            table.add_row(name, plain(value))
    return table


def dead_letters_table(letters: Sequence[DeadLetter]) -> Table:
    """A line for each job that was given up."""
    table = _table("Job", "Tries", "Age", "Code", "Detail")
    for letter in letters:
        problem = letter.problem
        row = (letter.job, str(letter.attempts), _age(letter.at), problem.code, problem.detail)
        table.add_row(*map(plain, row))
    return table


def system_tables(system: System) -> Group:
    """A line for each worker and each queue, and how the jobs get on."""
    workers = _table("Worker", "Host", "Busy", "Slots", "Started")
    for name, said in system.workers.items():
        about = (str(said.get(field, "")) for field in ("host", "busy", "slots", "started"))
        workers.add_row(plain(name), *map(plain, about))
    queues = _table("Queue", "Waiting", "Oldest")
    for name, queue in system.queues.items():
        queues.add_row(plain(name), str(queue.waiting), f"{queue.age:.1f} s")
    open_jobs = _table("Jobs queued", "Running", "For a retry", "Oldest", "Ended")
    jobs = system.jobs
    counts = map(str, (jobs.queued, jobs.running, jobs.later))
    open_jobs.add_row(*counts, f"{jobs.age:.1f} s", f"{jobs.rate:.2f}/s")
    return Group(workers, queues, open_jobs)


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    # What names a line in the next command is never cut off.
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


def _age(since: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"

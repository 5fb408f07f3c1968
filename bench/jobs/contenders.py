"""The systems that are compared: the processes of each, and their packages."""

from dataclasses import dataclass

SLOTS = 2  # concurrent renders, each in a process of its own

Command = tuple[str, ...]


@dataclass(frozen=True)
class Contender:
    """A system, used directly or over HTTP.

    `client` is a module of `bench.jobs.systems`. Each command is run as `python -m ...`, with the
    Valkey's address in REDIS_URL; with a `gateway`, the client connects to it, otherwise to the
    Valkey. `packages` is a lock file's name, or None for Darkroom's own packages.
    """

    name: str
    client: str
    workers: tuple[Command, ...]
    gateway: Command | None = None
    packages: str | None = None


_IMAGING = ("faststream", "run", "services.imaging.main:app", "--port", "{imaging_port}")
_QUIET = ("--log-level", "warning", "--no-access-log")
_TASKIQ = (
    *("taskiq", "worker", "bench.jobs.systems.taskiq:broker"),
    *("--workers", str(SLOTS), "--ack-type", "when_saved"),
    *("--max-async-tasks", "10", "--log-level", "WARNING"),
)

CONTENDERS = (
    Contender("darkroom runtime", "darkroom", workers=(_IMAGING,)),
    Contender(
        "darkroom HTTP",
        "gateway",
        workers=(_IMAGING,),
        gateway=("uvicorn", "services.gateway.main:app", "--port", "{gateway_port}", *_QUIET),
    ),
    Contender("taskiq", "taskiq", workers=(_TASKIQ,), packages="jobs-taskiq"),
    Contender(
        "taskiq HTTP",
        "taskiq_http",
        workers=(_TASKIQ,),
        gateway=(
            *("uvicorn", "bench.jobs.systems.taskiq_http:app", "--port", "{gateway_port}"),
            *_QUIET,
        ),
        packages="jobs-taskiq",
    ),
    Contender(
        "arq",
        "arq",
        workers=(("arq", "bench.jobs.systems.arq.WorkerSettings"),) * SLOTS,
        packages="jobs-arq",
    ),
    Contender(
        "celery",
        "celery",
        workers=(
            (
                *("celery", "-A", "bench.jobs.systems.celery", "worker", "--pool", "prefork"),
                *("--concurrency", str(SLOTS), "--loglevel", "WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
        ),
        packages="jobs-celery",
    ),
)

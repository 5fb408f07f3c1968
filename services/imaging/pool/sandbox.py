"""What a pool process may do: limits on its memory, time and files, and an end with its parent."""

import ctypes
import os
import resource
import signal
import sys
from functools import cache

from services.imaging.settings import ImagingSettings

_PR_SET_PDEATHSIG = 1
_PAGE = resource.getpagesize()


def enter(settings: ImagingSettings, *, parent: int) -> tuple[str, ...]:
    """Limit the process that calls this, and return the names of the protections it lacks.

    Exits if `parent`, the process that started this one, has ended already.
    """
    missing = []
    if not _die_with_parent(parent):
        missing.append("parent_death")
    _limit(settings)
    # The event loop goes first: heartbeats and refusals must not wait for pixels.
    os.nice(5)
    return tuple(missing)


def allow_cpu(seconds: int) -> None:
    """Let the process use so many more seconds of CPU; then the kernel ends it.

    The limit counts from the start of the process, so each call raises it.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, _hard_cpu_limit()))


@cache
def _hard_cpu_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_CPU)[1]


def resident() -> int:
    """Return the MiB of memory that the process holds; 0 where the system does not tell."""
    file = _statm()
    return 0 if file is None else int(os.pread(file, 256, 0).split()[1]) * _PAGE >> 20


@cache
def _statm() -> int | None:
    """Open the file once: a limited process may open no further files in /proc."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _die_with_parent(parent: int) -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    done: int = libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the call; the process has another parent by now.
        sys.exit("the service has ended")
    return done == 0


def _limit(settings: ImagingSettings) -> None:
    memory = settings.process_memory << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Nothing is written to files; 64 are open at once at most, for fonts and modules.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

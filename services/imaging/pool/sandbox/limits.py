"""Limits on the memory, the time and the files of a process, and what it holds now."""

import os
import resource
from functools import cache

_PAGE = resource.getpagesize()
_OPEN_FILES = 128  # fonts, modules, the socket to the service, and the images of a call


def limit(memory: int) -> None:
    """Limit this process to `memory` MiB of address space, and to files that it only reads."""
    size = memory << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    # A process with limits may open no files in /proc; this one stays open.
    _statm()


def allow_cpu(seconds: int) -> None:
    """Let the process use so many more seconds of CPU; then the kernel ends it.

    The limit counts from the start of the process, so each call raises it.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, _hard_cpu_limit()))


def address_space() -> int:
    """Return the bytes of address space of this process; 0 on a system without /proc."""
    return _pages()[0] * _PAGE


def resident() -> int:
    """Return the MiB of memory that this process holds; 0 on a system without /proc."""
    return _pages()[1] * _PAGE >> 20


def _pages() -> tuple[int, int]:
    file = _statm()
    if file is None:
        return 0, 0
    size, held, *_ = os.pread(file, 256, 0).split()
    return int(size), int(held)


@cache
def _statm() -> int | None:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


@cache
def _hard_cpu_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_CPU)[1]

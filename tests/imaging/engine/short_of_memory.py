"""Calls with little memory, each in a process of its own, so that a crash is seen as well."""

import os
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path


def print_endings(call: Callable[[], object], mebibytes: Iterable[int]) -> None:
    """Call with so many MiB more than this process has, and print the exit code of each process.

    The code is 0 for a call that returns, 1 for a MemoryError, and negative for a signal.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    taken = pages * resource.getpagesize()
    for more in mebibytes:
        child = os.fork()
        if not child:
            os._exit(_ending(call, taken + (more << 20)))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _ending(call: Callable[[], object], allowed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    try:
        call()
    except MemoryError:
        return 1
    return 0

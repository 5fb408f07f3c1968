"""Enter the sandbox: every protection that this system has, and the names of the others."""

import os
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import contracts
import services
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.sandbox import kernel, landlock, limits, seccomp, user

_SYSTEM = (
    # Shared libraries that codecs load when they are used first.
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"),
    # The number of processors.
    "/sys/devices/system/cpu",
)


def enter(settings: ChildSettings, *, parent: int) -> tuple[str, ...]:
    """Take from this process what a render does not need; return the protections it lacks.

    Call it once, with one thread, after the imports. Exits if `parent`, the process that started
    this one, has ended already.
    """
    readable = [path for path in _readable(settings) if path.exists()]
    missing = []
    limits.limit(settings.process_memory)
    # The event loop goes first: heartbeats and refusals must not wait for pixels.
    os.nice(5)
    if user.leave_root(readable):
        missing.append("user")
    # After the change of the user, which cancels it.
    if not _end_with(parent):
        missing.append("parent_death")
    return (*missing, *_restrict(readable))


def _end_with(parent: int) -> bool:
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    except OSError:
        return False
    if os.getppid() != parent:
        # It ended before the call; the process has another parent by now.
        sys.exit("The service has ended.")
    return True


def _restrict(readable: list[Path]) -> Iterator[str]:
    """Yield the names of the protections that the kernel lacks, after applying the others."""
    try:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    except OSError:
        yield from ("privileges", "files", "network", "signals", "system_calls")
        return
    version = landlock.version()
    try:
        landlock.restrict(readable)
    except OSError:
        version = 0
        yield "files"
    if version < landlock.SIGNALS_SINCE:
        yield "signals"
    try:
        seccomp.restrict()
    except OSError:
        # Landlock knows TCP alone.
        yield from ("network", "system_calls")


def _readable(settings: ChildSettings) -> Iterator[Path]:
    """Yield the files and folders that a pool process may read."""
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    for folder in sys.path:
        if Path(folder).name in ("site-packages", "dist-packages"):
            yield Path(folder)
    for package in (contracts, services):
        yield Path(package.__path__[0])
    if settings.fonts is not None:
        yield settings.fonts
    yield from map(Path, _SYSTEM)

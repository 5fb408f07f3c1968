"""Yield the processor every millisecond of a call, so that short work does not wait for pixels.

A kernel that preempts at its ticks alone lets a process compute for up to 4 ms while the gateway,
which would need 30 us, waits for the core (`docs/decisions/0067`).
"""

import ctypes
import os
import platform
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from services.imaging.pool.sandbox import kernel

_NICE = 5
_EVERY = 0.001  # seconds
_SLICE = 100_000  # ns: the least that Linux grants

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
# `struct sched_attr`: size, policy, flags, nice, priority, runtime (the slice), deadline, period.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")

_yields = False


def prepare() -> None:
    """Give this process a lower priority, and let it yield where the system has what that needs.

    Call it once, before the sandbox, which refuses changes of the priority.
    """
    global _yields
    os.nice(_NICE)
    try:
        _ask_for_short_slices()
    except OSError:
        return
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    # A handler of Python's would wait until the codec returns. This one is the system call itself.
    libc.signal(signal.SIGALRM, ctypes.cast(libc.sched_yield, ctypes.c_void_p))
    _yields = True


@contextmanager
def yielding() -> Iterator[None]:
    """Yield every millisecond within the context, from the second one on."""
    if _yields:
        signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
    try:
        yield
    finally:
        if _yields:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _ask_for_short_slices() -> None:
    """Ask for the shortest slice. Raises OSError on other systems.

    A process that yields gives up its slice: with the default of 3 ms, others would get so much
    more than their share that no render ended. Linux before 6.12 has one slice for all, and takes
    nothing from a process that yields.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        raise OSError("The number of the system call is not known.")
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, 0, _NICE, 0, _SLICE, 0, 0)
    kernel.syscall(number, 0, attributes, 0)

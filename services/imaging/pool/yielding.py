"""Yield the processor where others wait for it, so that short work does not wait for pixels.

A kernel that preempts at its ticks alone lets a process compute for up to 4 ms while the gateway,
which would need 30 us, waits for the core (`docs/decisions/0067`).
"""

import ctypes
import os
import platform
import signal
import struct
import time

from services.imaging.pool.sandbox import kernel

_SLICE = 100_000  # ns: the least that Linux grants
_EVERY = 0.0005  # seconds
_LONG = 0.004  # seconds of CPU, from one tick of the kernel to the next
_CROWDED = 0.25  # of a call's time; renders that have a machine for themselves wait for a tenth
_REMEMBERED = 16  # shorter calls

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
# `struct sched_attr`: size, policy, flags, nice, priority, runtime (the slice), deadline, period.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


class Yielding:
    """Yields the processor every half millisecond of a call if the last long one waited for it.

    A call is long if each of its parts computes for 4 ms, as a mean. After 16 shorter ones it does
    not count any more: the interrupts are a tenth of a short render's time.

    Make it before the sandbox, which refuses the system call for shorter slices.
    """

    def __init__(self) -> None:
        self._can = False
        self._remaining = 0
        """Calls that yield, unless a long one comes before."""
        self._yields = False
        self._begun = self._used = 0.0
        try:
            _ask_for_short_slices()
        except OSError:
            return
        libc = ctypes.CDLL(None)
        libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
        # A handler of Python's would wait until the codec returns. This is the system call itself.
        libc.signal(signal.SIGALRM, ctypes.cast(libc.sched_yield, ctypes.c_void_p))
        self._can = True

    def begin(self) -> None:
        """Yield from now on where needed: a call begins."""
        self._yields = self._can and self._remaining > 0
        if self._yields:
            signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
        self._begun, self._used = time.perf_counter(), time.process_time()

    def end(self, parts: int) -> None:
        """Yield no more: a call has ended. Find out whether the next one has to.

        `parts` is the number of its outcomes. A batch of short renders counts as short ones do.
        """
        took = time.perf_counter() - self._begun
        if self._yields:
            signal.setitimer(signal.ITIMER_REAL, 0)
        computed = time.process_time() - self._used
        if computed > _LONG * max(1, parts):
            crowded = took - computed > _CROWDED * took
            self._remaining = _REMEMBERED if crowded else 0
        elif self._yields:
            self._remaining -= 1


def _ask_for_short_slices() -> None:
    """Ask for the shortest slice. Raises OSError where the system does not grant it.

    A process that yields gives up its slice: with the default of 3 ms, others would get so much
    more than their share that no render ended. Linux before 6.12 ignores what it is asked for.
    """
    machine = platform.machine()
    if machine not in _SCHED_SETATTR:
        raise OSError("The numbers of the system calls are not known.")
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, 0, nice, 0, _SLICE, 0, 0)
    kernel.syscall(_SCHED_SETATTR[machine], 0, attributes, 0)
    granted = ctypes.create_string_buffer(_ATTRIBUTES.size)
    kernel.syscall(_SCHED_GETATTR[machine], 0, granted, _ATTRIBUTES.size, 0)
    if _ATTRIBUTES.unpack(granted.raw)[5] != _SLICE:
        raise OSError("The kernel does not grant the slice.")

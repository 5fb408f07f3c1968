"""Seccomp: refuse system calls that no render makes, and every new socket.

A pool process has the socket that leads to its service, and receives files there. Landlock lacks
these: sockets of every kind and protocol but TCP, modes and times of files, memory that is shared
by name, limits and priorities of other processes,
programs in memory, io_uring, and processes that would outlive this one. The filter is a list of
calls that are refused, as nobody knows all that Python and the codecs make: `seccomp(2)`.
"""

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Sequence
from typing import NamedTuple

from services.imaging.pool.sandbox import kernel

_SECCOMP_MODE_FILTER = 2
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000

# Offsets in `struct seccomp_data`, for little-endian processors.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24, 32, 40)

# Instructions of the classic BPF.
_LOAD, _RETURN = 0x20, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_HAS = 0x15, 0x35, 0x45

_THREAD = 0x10000  # the flag of a `clone` that makes no process
_OTHER_NUMBERS = 0x40000000  # x86-64 has a second set of numbers for calls, from here on


class _Architecture(NamedTuple):
    code: int
    clone: int
    prlimit64: int
    refused: tuple[int, ...]


_ARCHITECTURES = {
    "x86_64": _Architecture(
        code=0xC000003E,
        clone=56,
        prlimit64=302,
        refused=(
            *(59, 322, 57, 58),  # execve, execveat, fork, vfork
            *(101, 310, 311, 321, 298, 323),  # ptrace, process_vm_*, bpf, perf_*, userfaultfd
            *(272, 308, 165, 248, 249, 250),  # unshare, setns, mount, add_key, request_key, keyctl
            *(41, 53, 42, 49, 50, 43, 288),  # socket, socketpair, connect, bind, listen, accept*
            *(46, 307),  # sendmsg, sendmmsg: files go to a pool process, and none comes from it
            *(90, 91, 268, 92, 93, 94, 260),  # chmod, fchmod, fchmodat, chown, f*, l*, fchownat
            *(132, 235, 261, 280),  # utime, utimes, futimesat, utimensat
            *(29, 30, 64, 68),  # shmget, shmat, semget, msgget
            *(141, 142, 144, 203, 314),  # setpriority, sched_set*: param, scheduler, affinity, attr
        ),
    ),
    "aarch64": _Architecture(
        code=0xC00000B7,
        clone=220,
        prlimit64=261,
        refused=(
            *(221, 281),
            *(117, 270, 271, 280, 241, 282),
            *(97, 268, 40, 217, 218, 219),
            *(198, 199, 203, 200, 201, 202, 242),
            *(211, 269),
            *(52, 53, 54, 55),  # fchmod, fchmodat, fchownat, fchown
            88,  # utimensat
            *(194, 196, 190, 186),
            *(140, 118, 119, 122, 274),
        ),
    ),
}
"""The numbers of calls; where the second list has no comment, its order is that of the first."""

_REFUSED_EVERYWHERE = (425, 426, 427, 434, 438, 452)
"""io_uring_setup, io_uring_enter, io_uring_register, pidfd_open, pidfd_getfd, fchmodat2."""

_CLONE3 = 435
"""A filter can't see its flags. If the kernel seems to lack it, libraries use `clone`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class _Line(NamedTuple):
    """An instruction; a jump names the label that it goes to, or none for the next line."""

    code: int
    value: int
    yes: str = ""
    no: str = ""
    label: str = ""


def restrict() -> None:
    """Refuse the calls above, with EPERM.

    Needs `no_new_privs`. Raises OSError where the kernel or the processor lacks the filter.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None or sys.byteorder != "little":
        raise OSError(errno.ENOSYS, f"There is no filter for {platform.machine()}.")
    instructions = _assembled(_lines(architecture))
    program = _Program(len(instructions) // 8, instructions)
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _lines(machine: _Architecture) -> list[_Line]:
    """Return the filter: calls that are refused, then those whose arguments decide."""
    refused = (*machine.refused, *_REFUSED_EVERYWHERE)
    return [
        _Line(_LOAD, _ARCHITECTURE),
        _Line(_IF_EQUAL, machine.code, no="refuse"),
        _Line(_LOAD, _NUMBER),
        _Line(_IF_AT_LEAST, _OTHER_NUMBERS, yes="refuse"),
        *(_Line(_IF_EQUAL, number, yes="refuse") for number in refused),
        _Line(_IF_EQUAL, _CLONE3, yes="be absent"),
        _Line(_IF_EQUAL, machine.clone, yes="clone"),
        # A limit of another process could end it.
        _Line(_IF_EQUAL, machine.prlimit64, no="permit"),
        _Line(_LOAD, _ARGUMENTS[0]),
        _Line(_IF_EQUAL, 0, yes="permit", no="refuse"),
        _Line(_LOAD, _ARGUMENTS[0], label="clone"),
        _Line(_IF_HAS, _THREAD, yes="permit", no="refuse"),
        _Line(_RETURN, _FAIL | errno.EPERM, label="refuse"),
        _Line(_RETURN, _ALLOW, label="permit"),
        _Line(_RETURN, _FAIL | errno.ENOSYS, label="be absent"),
    ]


def _assembled(lines: Sequence[_Line]) -> bytes:
    """Return the instructions; a jump becomes the number of lines that it skips."""
    places = {line.label: place for place, line in enumerate(lines) if line.label}

    def skipped(place: int, label: str) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        struct.pack("<HBBI", line.code, skipped(at, line.yes), skipped(at, line.no), line.value)
        for at, line in enumerate(lines)
    )

"""Seccomp: refuse system calls that no render makes, and every socket but the store's.

Landlock lacks these: datagrams, other kinds of sockets, programs in memory, io_uring, and processes
that would outlive this one. The filter is a list of calls that are refused, as nobody knows all
that Python and the codecs make: `seccomp(2)`.
"""

import ctypes
import errno
import platform
import socket
import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from services.imaging.pool.sandbox import kernel

_SECCOMP_MODE_FILTER = 2
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000

# Offsets in `struct seccomp_data`, for little-endian processors.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24

# Instructions of the classic BPF.
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_HAS = 0x15, 0x35, 0x45

_KIND_OF_SOCKET = 0xF  # the other bits are flags
_THREAD = 0x10000  # the flag of a `clone` that makes no process
_OTHER_NUMBERS = 0x40000000  # x86-64 has a second set of numbers for calls, from here on


class _Architecture(NamedTuple):
    code: int
    clone: int
    socket: int
    refused: tuple[int, ...]


# Numbers of: execve, execveat, ptrace, process_vm_readv, process_vm_writev, bpf, perf_event_open,
# userfaultfd, unshare, setns, mount, add_key, request_key, keyctl; fork and vfork where they are.
_ARCHITECTURES = {
    "x86_64": _Architecture(
        code=0xC000003E,
        clone=56,
        socket=41,
        refused=(59, 322, 101, 310, 311, 321, 298, 323, 272, 308, 165, 248, 249, 250, 57, 58),
    ),
    "aarch64": _Architecture(
        code=0xC00000B7,
        clone=220,
        socket=198,
        refused=(221, 281, 117, 270, 271, 280, 241, 282, 97, 268, 40, 217, 218, 219),
    ),
}
_REFUSED_EVERYWHERE = (425, 426, 427, 434, 438)
"""io_uring_setup, io_uring_enter, io_uring_register, pidfd_open, pidfd_getfd."""

_CLONE3 = 435
"""A filter can't see its flags. If the kernel seems to lack it, libraries use `clone`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(families: Iterable[socket.AddressFamily]) -> None:
    """Refuse the calls above, with EPERM, and sockets but streams of these `families`.

    Needs `no_new_privs`. Raises OSError where the kernel or the processor lacks the filter.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None or sys.byteorder != "little":
        raise OSError(errno.ENOSYS, f"There is no filter for {platform.machine()}.")
    instructions = _filter(architecture, tuple(families))
    program = _Program(len(instructions) // 8, instructions)
    kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _filter(architecture: _Architecture, families: tuple[socket.AddressFamily, ...]) -> bytes:
    """Assemble the filter. Jumps count the instructions that are skipped."""
    refused = (*architecture.refused, *_REFUSED_EVERYWHERE)
    # Backwards, as a jump has to know the distance to the last three instructions.
    program = [
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _FAIL | errno.EPERM),
        _instruction(_RETURN, _FAIL | errno.ENOSYS),
    ]

    def to_permission() -> int:
        return len(program) - 3

    def to_refusal() -> int:
        return len(program) - 2

    def to_absence() -> int:
        return len(program) - 1

    program.insert(0, _instruction(_IF_EQUAL, socket.SOCK_STREAM, no=1))
    program.insert(0, _instruction(_AND, _KIND_OF_SOCKET))
    program.insert(0, _instruction(_LOAD, _SECOND_ARGUMENT))
    kind_of_socket = len(program)
    program.insert(0, _instruction(_RETURN, _FAIL | errno.EPERM))
    for family in families:
        program.insert(0, _instruction(_IF_EQUAL, family, yes=len(program) - kind_of_socket))
    program.insert(0, _instruction(_LOAD, _FIRST_ARGUMENT))
    # To here come the calls of `socket`; all others are decided before.
    program.insert(0, _instruction(_IF_EQUAL, architecture.socket, no=to_permission()))
    program.insert(0, _instruction(_IF_HAS, _THREAD, yes=to_permission(), no=to_refusal()))
    program.insert(0, _instruction(_LOAD, _FIRST_ARGUMENT))
    program.insert(0, _instruction(_IF_EQUAL, architecture.clone, no=2))
    program.insert(0, _instruction(_IF_EQUAL, _CLONE3, yes=to_absence()))
    for number in refused:
        program.insert(0, _instruction(_IF_EQUAL, number, yes=to_refusal()))
    program.insert(0, _instruction(_IF_AT_LEAST, _OTHER_NUMBERS, yes=to_refusal()))
    program.insert(0, _instruction(_LOAD, _NUMBER))
    program.insert(0, _instruction(_IF_EQUAL, architecture.code, no=to_refusal()))
    program.insert(0, _instruction(_LOAD, _ARCHITECTURE))
    return b"".join(program)


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)

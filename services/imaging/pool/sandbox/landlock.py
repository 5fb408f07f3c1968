"""Landlock: files to read. Other files, TCP and signals to processes outside are refused for good.

The kernel's documentation is `userspace-api/landlock.html`. Its versions (ABIs) add rights: 4 has
TCP, 6 has signals and abstract sockets. A refusal covers this process and its children.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from services.imaging.pool.sandbox import kernel

# The numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1
_PATH_BENEATH = 1

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_ALL_TCP = 0b11  # bind and connect
_ALL_SCOPES = 0b11  # abstract Unix sockets and signals

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""The number of rights about files, by version; the rights are the lowest bits."""

_TCP_SINCE, SIGNALS_SINCE = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("path", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 without Landlock."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[Path]) -> None:
    """Let this process read the files and folders of `readable`.

    Nothing else may be read, written or executed, no TCP port be connected to or bound, and no
    process outside be signalled, as far as the kernel's version can refuse it. Files that are open
    stay usable, and so do those that come over a socket. Needs `no_new_privs`. Raises OSError.
    """
    has = version()
    rules = _Ruleset(
        files=(1 << _FILE_RIGHTS[max(1, min(has, 5))]) - 1,
        network=_ALL_TCP if has >= _TCP_SINCE else 0,
        scopes=_ALL_SCOPES if has >= SIGNALS_SINCE else 0,
    )
    size = 24 if has >= SIGNALS_SINCE else 16 if has >= _TCP_SINCE else 8
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        for path in readable:
            _allow_reading(ruleset, path)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, path: Path) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
        rule = _PathRule(rights=rights, path=opened)
        kernel.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)

"""Open files without waiting for a disk, on the event loop: only those the kernel has in memory.

A thread for it would take 200 us of CPU, as it and the event loop take Python's lock in turn.
"""

import ctypes
import os
import stat
import sys
from pathlib import Path

_OPENAT2 = 437  # the same on every architecture
_RESOLVE_CACHED = 0x20  # fail if a part of the path has to be read from the disk
_AT_FDCWD = -100

_LOCAL = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        *(0x58465342, 0x9123683E, 0xF2F52010, 0x2FC12FC1),  # XFS, Btrfs, F2FS, ZFS
        *(0x01021994, 0x794C7630),  # tmpfs, overlayfs
    }
)
"""File systems of local disks. Others may ask a network for the file, whatever is in memory."""


class _How(ctypes.Structure):
    """The kernel's `struct open_how`."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class CachedOpen:
    """Opens ordinary files below a folder, those alone that can be opened at once.

    Opens none on a network's disk, on another system than Linux, and where the kernel, or a
    container, refuses the system call.
    """

    def __init__(self, root: Path, flags: int) -> None:
        self._root = f"{root}/"
        self._how = _How(flags, 0, _RESOLVE_CACHED)
        self._open = _system_call() if sys.platform == "linux" and _is_local(root) else None

    def open(self, path: str) -> int | None:
        """Return a descriptor of a file, which the caller closes; None if that may take a while.

        None, too, for a path without an ordinary file.
        """
        if self._open is None:
            return None
        name = os.fsencode(self._root + path)
        descriptor = int(
            self._open(_OPENAT2, _AT_FDCWD, name, ctypes.byref(self._how), ctypes.sizeof(_How))
        )
        if descriptor < 0:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None


def _system_call() -> "ctypes._NamedFuncPointer":
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    call.argtypes = (
        *(ctypes.c_long, ctypes.c_long, ctypes.c_char_p),
        *(ctypes.c_void_p, ctypes.c_size_t),
    )
    return call


def _is_local(folder: Path) -> bool:
    """Return whether a folder is on a local disk, by the first field of `struct statfs`."""
    about = (ctypes.c_long * 32)()
    failed = ctypes.CDLL(None).statfs(os.fsencode(folder), ctypes.byref(about))
    return not failed and about[0] in _LOCAL

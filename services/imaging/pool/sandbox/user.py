"""Another user for the processes of a service that runs as root."""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from services.imaging.pool.sandbox import kernel

_NOBODY = 65534
_CAPABILITIES = 0x20080522  # the version of the structure that `capset` reads
_CAPSET = {"x86_64": 126, "aarch64": 91}


def leave_root(readable: Iterable[Path]) -> bool:
    """Become the user `nobody` and give up every capability; return whether this process is root.

    A root whose packages only root can read stays, without its capabilities.
    """
    if os.geteuid() != 0:
        return False
    if _nobody_can_read(readable):
        # A container may lack the capability to change the user.
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            return False
    with suppress(OSError):
        _drop_capabilities()
    return True


def _nobody_can_read(paths: Iterable[Path]) -> bool:
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        return all(os.access(path, os.R_OK, effective_ids=True) for path in paths)
    finally:
        os.seteuid(0)
        os.setegid(0)


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if (number := _CAPSET.get(os.uname().machine)) is not None:
        kernel.syscall(number, ctypes.byref(header), ctypes.byref(nothing))

"""Calls to the Linux kernel that Python has no functions for."""

import ctypes
import errno
import os
import platform

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_LIBC = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *args: object) -> None:
    """Change an attribute of this process. Raises OSError, on other systems too."""
    _check_system()
    padded = [*args, 0, 0, 0, 0][:4]
    if _LIBC.prctl(option, *map(_argument, padded)) != 0:
        raise _error()


def syscall(number: int, *args: object) -> int:
    """Make a system call and return its result. Raises OSError, on other systems too."""
    _check_system()
    result: int = _LIBC.syscall(ctypes.c_long(number), *map(_argument, args))
    if result < 0:
        raise _error()
    return result


def _check_system() -> None:
    if platform.system() != "Linux":
        raise OSError(errno.ENOSYS, "This is a call of Linux.")


def _argument(value: object) -> object:
    """Pass numbers in their full width: ctypes would pass an int of 32 bits."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))

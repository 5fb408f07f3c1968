"""Failures of stores by name, for errors of the operating system."""

import errno

from contracts.errors import ServiceError, StoreFull, Unavailable

RETRY_AFTER = 5
"""Seconds after which a caller of a store that does not answer may try again."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the errors of a disk on which nothing more fits."""


def disk_failure(exc: OSError) -> ServiceError:
    """Return the failure for an error of a disk. It names no path, as clients see it."""
    reason = exc.strerror or type(exc).__name__
    if exc.errno in FULL:
        return StoreFull(f"The disk of the store is full ({reason}).", retry_after=10)
    return Unavailable(f"The disk of the store does not work ({reason}).", retry_after=RETRY_AFTER)

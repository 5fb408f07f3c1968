"""Failures after which a retry makes sense."""

from contracts.errors import Code

TRANSIENT = frozenset(
    {
        Code.WORKER_CRASHED,
        Code.SOURCE_UNAVAILABLE,
        Code.SOURCE_TIMEOUT,
        Code.DEADLINE_EXCEEDED,
        Code.UNAVAILABLE,
        Code.OVERLOADED,
        Code.STORE_FULL,
    }
)
"""Codes of failures that may be temporary: a retry makes sense."""

REPLAYABLE = TRANSIENT | {Code.INTERNAL, Code.OUT_OF_MEMORY}
"""Codes of failures after which the same request may succeed later, perhaps on a larger worker."""

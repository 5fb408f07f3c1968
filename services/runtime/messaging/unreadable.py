"""Stored messages that this process can't read: damaged ones, and those of another version."""

from contracts.errors import Internal, Unavailable

MAX_VERSION = 999_999
"""The highest version that a message may have; one with a higher version is damaged."""


_ANOTHER_PROCESS = 2  # seconds; another gateway may be asked then


class Damaged(Internal):
    """No process can read the message: it is incomplete, or of another kind than its place has."""


class UnknownVersion(Unavailable):
    """A process of another version can read the message; this one must leave it as it is."""

    def __init__(self, detail: str, *, version: int) -> None:
        super().__init__(detail, retry_after=_ANOTHER_PROCESS)
        self.version = version

"""Protocol of a kind of source, and the parts of what a source answers.

A sixth way to an image is one module with an `Origin`, and its table in `configuration.py`.
"""

from dataclasses import dataclass
from typing import Protocol

from contracts.errors import ServiceError, SourceTimeout, SourceUnavailable


@dataclass(frozen=True)
class Validators:
    """A source's names of the bytes that it has sent, to ask whether they are current."""

    url: str = ""
    """The URL that sent them, after redirects; empty where there are none."""
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True)
class Lifetime:
    """Times for which an original may be used, in seconds from now."""

    fresh: float
    stale_while_revalidate: float
    stale_if_error: float
    """Both count from the end of `fresh`."""
    stored: bool = True
    """True if the original may be remembered."""


@dataclass(frozen=True)
class Reply:
    """An answer of a source."""

    changed: bool
    """True if the source has sent bytes; False if the bytes of the known validators are current."""
    lifetime: Lifetime | None
    """None for an unchanged original of which the source names no lifetime."""
    validators: Validators


class Body(Protocol):
    """Takes the bytes of an original."""

    def expect(self, size: int) -> None:
        """Raise ImageTooBig if `size` bytes are too many, before any of them is sent."""
        ...

    async def write(self, piece: bytes) -> None:
        """Append a piece. Raises ImageTooBig, and ImageUnreadable for bytes of no image."""
        ...


class Origin(Protocol):
    """A source that can be asked. It bounds its connections; its caller has the time limit."""

    async def ask(self, place: str, known: Validators | None, body: Body) -> Reply:
        """Write the bytes at a place into `body`, unless they are those of `known` validators.

        Raises NotFound, SourceRefused, SourceUnavailable, and what `body` raises.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class NoImageThere(SourceUnavailable):
    """The source works, but does not give this original."""


class Unreachable(SourceUnavailable):
    """There is no connection to the server, whatever it would be asked for."""


class FailedElsewhere(SourceUnavailable):
    """A failure that is no fault of the server that was named.

    A pattern allows its name, which has no address; or it has led to another server, which fails.
    """


def is_down(exc: ServiceError) -> bool:
    """Return whether a failure is one of the source, and not of one original."""
    return isinstance(exc, SourceTimeout) or (
        isinstance(exc, SourceUnavailable) and not isinstance(exc, NoImageThere)
    )

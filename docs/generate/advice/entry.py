"""The form of an entry of the advice, and texts that entries share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A situation in which the error is raised, and the files that raise it."""

    when: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """Commands whose last request is refused with the error, and the `detail` of the answer.

    The commands run at the gateway of `make run`, or at processes of their own that `start` starts.
    `starting` is the sentence about that command, and `ready` an address that answers afterwards.
    """

    commands: str
    detail: str
    start: str = ""
    starting: str = "Start a Darkroom in which the error is easy to provoke:"
    ready: str = "http://127.0.0.1:8000/health/ready"


@dataclass(frozen=True)
class Advice:
    """Everything that the page of a code says, but the code doesn't. The texts are Markdown."""

    causes: tuple[Cause, ...]
    client: str
    operator: str
    example: Example | None
    """None for an error that no request is known to provoke."""
    ends_variants: bool = False
    """True if a variant of a job can fail with the code."""


UPLOADS = "services/gateway/sources/uploads/upload.py"
SERVER = "services/gateway/server/refusals.py"
ENGINE = "services/imaging/engine"
HOUSE = "curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg"

"""Messages between the service and a pool process: JSON in frames, and never a pickle.

A pool process decodes files of strangers, so its answers are checked against these models: an
answer that does not fit ends the process. Only the names of failures travel; an exception without
a name is a traceback in a text.
"""

import struct
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, TypeAdapter

from contracts.errors import Failure, OutOfMemory
from contracts.imaging import Inspect, Inspected, Render, Rendered
from contracts.message import Message
from services.imaging.settings import ImagingSettings

OutcomeT = TypeVar("OutcomeT")

CALL_HEADER = struct.Struct("!II")
"""The header of a call: bytes that follow, and seconds of CPU that the call may use."""

ANSWER_HEADER = struct.Struct("!I")
"""The header of an answer: bytes that follow."""

MAX_ANSWER = 4 << 20
"""Bytes of the longest answer; the description of an image may quote 64 KiB of metadata."""

MAX_TEXT = 20_000
"""Characters of a traceback, or of the reason of another failure without a name."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class Setup(Message):
    """The first frame that a pool process receives, without a header of a call."""

    parent: int
    """The process that started it; the pool process ends when that one is another or none."""
    settings: ImagingSettings


class Ready(Message):
    """The answer to `Setup`: the process is limited and warm."""

    missing: tuple[Annotated[str, Field(max_length=64)], ...] = Field(max_length=32)
    """The names of the protections that this system does not have."""


class Broken(Message):
    """The failure of a whole call, by an exception that is no ServiceError."""

    kind: Literal["store_lost", "store_refused", "bug"]
    reason: Text
    """The store's error, or the traceback of a bug."""


class Heavy(Message):
    """The outcome of a part that was not started: it would take longer than the call's budget."""

    seconds: Annotated[float, Field(ge=0)]
    """The estimate."""


class Answer(Message, Generic[OutcomeT]):
    """The end of a call: an outcome for each part that was started, or a failure of it all."""

    outcomes: tuple[OutcomeT | Failure | Heavy, ...] = Field(default=(), max_length=1000)
    broken: Broken | None = None
    exhausted: bool = False
    """Whether memory ran out: the process is not to be used again."""
    resident: Annotated[int, Field(ge=0)] = 0
    """MiB of memory that the process holds after the call."""

    @property
    def failed_of_memory(self) -> bool:
        """Return whether memory ran out before anything was done."""
        return self.exhausted and all(isinstance(one, Failure | Heavy) for one in self.outcomes)


class Call(Message, Generic[OutcomeT]):
    """A call to a pool process. `answer` is the model that its answer has to fit."""

    answer: ClassVar[type[Answer[OutcomeT]]]

    budget: Annotated[float, Field(gt=0)] | None = None
    """Seconds that a part may be estimated to take; None if it may be heavy."""

    @property
    def may_repeat(self) -> bool:
        """Return whether the call is done once more after its process died or ran out of memory."""
        return True


class RenderCall(Call[Rendered]):
    """Render each of `requests`, and store the renditions for `ttl` seconds at least.

    The answer has the outcomes in order, at least one; the requests that were not started within
    20 ms have none. With `keep_source` the process keeps the decoded source for its next render;
    without it, the encoded source up to 8 MiB.
    """

    answer = Answer[Rendered]

    task: Literal["render"] = "render"
    requests: tuple[Render, ...]
    ttl: int
    keep_source: bool = False

    @property
    def may_repeat(self) -> bool:
        """Return False for several requests: their caller repeats each one alone."""
        return len(self.requests) == 1


class InspectCall(Call[Inspected]):
    """Inspect an image: its header, or its pixels too."""

    answer = Answer[Inspected]

    task: Literal["inspect"] = "inspect"
    request: Inspect


CALLS: TypeAdapter[RenderCall | InspectCall] = TypeAdapter(
    Annotated[RenderCall | InspectCall, Field(discriminator="task")]
)
"""The calls that a pool process of the service answers."""


def out_of_memory(settings: ImagingSettings) -> Failure:
    """Return the failure of work that took more memory than its process may have."""
    most = settings.process_memory
    return OutOfMemory(
        f"The work takes more memory than a process may have: {most:,} MiB."
    ).failure()

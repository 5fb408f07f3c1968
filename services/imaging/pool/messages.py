"""Messages between the service and a pool process: JSON in frames, and never a pickle.

Image bytes are beside the JSON. The bytes of small images follow a call, which carries an open
descriptor of each other one, and the renditions follow an answer. A pool process decodes files of
strangers, so its answers are checked against these models: an answer that does not fit ends the
process. Only the names of failures travel; an exception without a name is a traceback in a text.
"""

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, TypeAdapter

from contracts.errors import Failure, OutOfMemory
from contracts.fields import BlobKey
from contracts.formats import Format
from contracts.imaging import Inspect, Inspected, Milliseconds, Render
from contracts.message import Message
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.verdicts import Verdict

OutcomeT = TypeVar("OutcomeT")

CALL_HEADER = struct.Struct("!III")
"""The header of a call: bytes of its JSON, bytes of images that follow the JSON, and seconds of CPU
that it may use."""

ANSWER_HEADER = struct.Struct("!II")
"""The header of an answer: bytes of its JSON, and bytes of renditions that follow the JSON."""

MAX_ANSWER = 4 << 20
"""Bytes of JSON in the longest answer; the description of an image may quote 64 KiB of metadata."""

MAX_TEXT = 20_000
"""Characters of a traceback."""

MAX_IMAGES = 64
"""Images of a call: a pipeline names up to 32, and the kernel passes up to 253 descriptors."""

INSIDE = 32 << 10
"""Bytes of the largest image that follows a call: a file for it takes as long as some copies."""

MAX_JOINED = 4
"""Calls that are done as one: more save hardly any further time."""

_JOINED_IMAGES = 4
_JOINED_BYTES = 256 << 10
"""The most images, and bytes of them, in a call that may be done with others: more take long."""

Content = int | bytes
"""An image of a call: an open descriptor of it, or its bytes."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class Setup(Message):
    """The first frame that a pool process receives, which has no images."""

    parent: int
    """Process id of the service; the pool process ends when its parent is another."""
    settings: ChildSettings


class Ready(Message):
    """The answer to `Setup`: the process is limited and warm."""

    missing: tuple[Annotated[str, Field(max_length=64)], ...] = Field(max_length=32)
    """The names of the protections that this system does not have."""


class Image(Message):
    """An image of a call: the name that requests have for it, and what its bytes have to be."""

    key: BlobKey
    size: Annotated[int, Field(ge=0)]
    digest: BlobKey
    """SHA-256 of the bytes, in hexadecimal."""
    inside: bool = False
    """True if the bytes follow the call; else a descriptor comes with it."""


class Heavy(Message):
    """The outcome of a part that was not started: it would take longer than the call's budget."""

    seconds: Annotated[float, Field(ge=0)]
    """The estimate."""


class Corrupt(Message):
    """The outcome of a part that was not started: the bytes of an image are not those stored."""

    corrupt: BlobKey
    """The image's key."""


class Made(Message):
    """The outcome of a render: a rendition, whose bytes follow the answer."""

    format: Format
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)]
    """Number of bytes."""
    decode_ms: Milliseconds
    operations_ms: Milliseconds
    encode_ms: Milliseconds
    data: bytes = Field(default=b"", exclude=True)
    """The bytes, which are not in the JSON."""


class Answer(Message, Generic[OutcomeT]):
    """The end of a call: an outcome for each part that was started, or a failure of it all.

    A `Verdict` is the failure of a part because of its source.
    """

    outcomes: tuple[OutcomeT | Failure | Verdict | Heavy | Corrupt, ...] = Field(
        default=(), max_length=1000
    )
    bug: Text | None = None
    """The traceback of an exception that no failure has a name for."""
    exhausted: bool = False
    """True if memory ran out: the process is not to be used again."""
    resident: Annotated[int, Field(ge=0)] = 0
    """MiB of memory that the process holds after the call."""

    @property
    def failed_of_memory(self) -> bool:
        """Return whether memory ran out before anything was done."""
        undone = Failure | Verdict | Heavy | Corrupt
        return self.exhausted and all(isinstance(one, undone) for one in self.outcomes)

    @property
    def attachments(self) -> list[bytes]:
        """Return the bytes that follow the answer."""
        return []

    def filled(self, attached: memoryview) -> Self:
        """Return the answer with the bytes that followed it. Raises ValueError if they don't
        fit."""
        if attached:
            raise ValueError("bytes follow an answer that has no use for them")
        return self


class RenderAnswer(Answer[Made]):
    """The end of a `RenderCall`."""

    # In order: pydantic would compare each outcome with all five models, for 12 us.
    outcomes: tuple[
        Annotated[Made | Failure | Verdict | Heavy | Corrupt, Field(union_mode="left_to_right")],
        ...,
    ] = Field(default=(), max_length=1000)

    @property
    def attachments(self) -> list[bytes]:
        """Return the bytes of each rendition."""
        return [one.data for one in self.outcomes if isinstance(one, Made)]

    def filled(self, attached: memoryview) -> Self:
        """Return the answer with the bytes of each rendition. Raises ValueError if they don't
        fit."""
        outcomes: list[Made | Failure | Verdict | Heavy | Corrupt] = []
        start = 0
        for one in self.outcomes:
            if isinstance(one, Made):
                data = bytes(attached[start : start + one.size])
                start += one.size
                outcomes.append(one.model_copy(update={"data": data}))
            else:
                outcomes.append(one)
        if start != len(attached):
            raise ValueError(f"{len(attached)} bytes follow an answer that announces {start}")
        return self.model_copy(update={"outcomes": tuple(outcomes)})


class Call(Message, Generic[OutcomeT]):
    """A call to a pool process. `answer` is the model that its answer has to fit."""

    answer: ClassVar[type[Answer[OutcomeT]]]

    images: tuple[Image, ...] = Field(default=(), max_length=MAX_IMAGES)
    """The images that the call is about; their bytes and descriptors come in this order."""
    budget: Annotated[float, Field(gt=0)] | None = None
    """Seconds that a part may be estimated to take; None if it may be heavy."""

    @property
    def may_repeat(self) -> bool:
        """Return whether the call is done once more after its process died or ran out of memory."""
        return True

    @property
    def parts(self) -> int:
        """Return the number of outcomes that the answer has at most."""
        return 1

    @property
    def source(self) -> str:
        """Return the key of the image that the process keeps after the call; empty for none."""
        return ""

    @property
    def may_join(self) -> bool:
        """Return whether the call, of one part, may be done as one with others of its kind."""
        return False

    def with_parts_of(self, others: Sequence[Self]) -> Self:
        """Return a call with the parts of others behind those of this one, whose images it has."""
        raise NotImplementedError

    def read_answer(self, text: bytes, attached: memoryview) -> Answer[OutcomeT]:
        """Return the answer to this call. Raises ValueError for one that does not fit."""
        answer = self.answer.model_validate_json(text).filled(attached)
        if len(answer.outcomes) > self.parts:
            raise ValueError("an answer has more outcomes than its call has parts")
        blamed = {one.corrupt for one in answer.outcomes if isinstance(one, Corrupt)}
        if not blamed <= {image.key for image in self.images}:
            raise ValueError("an answer blames an image that its call does not have")
        return answer


class RenderCall(Call[Made]):
    """Render each of `requests`, whose sources and watermarks are all among the images.

    The answer has the outcomes in order, at least one. Requests that were not started within 20 ms
    of CPU, or within 60 ms, have none, nor has one whose rendition would make the answer longer
    than a rendition may be.
    The process keeps the last source, encoded and decoded, for the next render of it: the decoded
    one for a second. With `keep_source` the encoded one may be longer than 32 MiB.
    """

    answer = RenderAnswer

    task: Literal["render"] = "render"
    requests: tuple[Render, ...]
    keep_source: bool = False

    @property
    def may_repeat(self) -> bool:
        """Return False for several requests: their caller repeats each one alone."""
        return len(self.requests) == 1

    @property
    def parts(self) -> int:
        """Return the number of requests."""
        return len(self.requests)

    @property
    def may_join(self) -> bool:
        """Return whether this is one render of few small images."""
        return (
            len(self.requests) == 1
            and not self.keep_source
            and len(self.images) <= _JOINED_IMAGES
            and sum(image.size for image in self.images) <= _JOINED_BYTES
        )

    def with_parts_of(self, others: Sequence[Self]) -> Self:
        """Return a call with the requests of others behind those of this one."""
        requests = (*self.requests, *chain.from_iterable(one.requests for one in others))
        return self.model_copy(update={"requests": requests})

    @property
    def source(self) -> str:
        """Return the first request's source: the requests of a batch have one, or many."""
        return self.requests[0].source.key


class InspectCall(Call[Inspected]):
    """Inspect an image: its header, or its pixels too."""

    answer = Answer[Inspected]

    task: Literal["inspect"] = "inspect"
    request: Inspect


CALLS: TypeAdapter[RenderCall | InspectCall] = TypeAdapter(
    Annotated[RenderCall | InspectCall, Field(discriminator="task")]
)
"""The calls that a pool process of the service answers."""


def out_of_memory(settings: ChildSettings) -> Failure:
    """Return the failure of work that took more memory than its process may have."""
    most = settings.process_memory
    return OutOfMemory(
        f"The work takes more memory than a process may have: {most:,} MiB."
    ).failure()

"""Verdicts: failures to read an image, kept beside the image so that it is not decoded again.

A verdict holds for one capability, as other decoders may read the image, and for requests that read
as much of the image or more: a GIF with a bad second frame still has a first one.
"""

import resource
from enum import IntEnum
from functools import cache

from pydantic import field_validator

from contracts.errors import Code, Failure, ServiceError
from contracts.imaging import Depth
from contracts.message import Message
from contracts.outputs import Output
from services.imaging.pool.sandbox.limits import address_space

_CAUSES = (Code.IMAGE_UNREADABLE, Code.UNSUPPORTED_FORMAT)


class Need(IntEnum):
    """Part of an image that a request reads; each need includes those before it."""

    HEADER = 0
    FIRST_FRAME = 1
    ALL_FRAMES = 2


class Verdict(Message):
    """The failure of every request that needs `need` or more of the image."""

    need: Need
    failure: Failure

    @field_validator("failure")
    @classmethod
    def _is_about_the_image(cls, failure: Failure) -> Failure:
        if failure.code not in _CAUSES:
            raise ValueError("no failure that an image's bytes are the cause of")
        return failure

    def concerns(self, need: Need) -> bool:
        """Return whether a request of this need fails, too."""
        return need >= self.need


def need_of_output(output: Output) -> Need:
    """Return how much of its source a pipeline with this output may read."""
    return Need.ALL_FRAMES if output.may_be_animated else Need.FIRST_FRAME


def need_of_depth(depth: Depth) -> Need:
    """Return how much of an image an inspection reads, which tolerates bad later frames."""
    return Need.HEADER if depth is Depth.HEADER else Need.FIRST_FRAME


def verdict(need: Need, error: ServiceError) -> Verdict:
    """Return the verdict of a request that failed with `error`.

    Decoders that get no memory may say that the file is broken. Raises MemoryError if the process
    has less than half of the address space that it had when it was fresh: the error proves nothing.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    fresh = fresh_space()
    if limit != resource.RLIM_INFINITY and 2 * (address_space() - fresh) > limit - fresh:
        raise MemoryError("too little memory to judge an image") from error
    return Verdict(need=need, failure=error.failure())


@cache
def fresh_space() -> int:
    """Return the address space that this process took at the first call; call it when warm."""
    return address_space()

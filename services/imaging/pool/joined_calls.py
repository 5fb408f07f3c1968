"""Short calls that wait for a slot are done as one with the call that has got it.

A call to a pool process costs as much as a small render. Decision 0075 has the measurements.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import Code, Failure, WorkerCrashed
from services.imaging.pool.attempts import attempt
from services.imaging.pool.messages import MAX_JOINED, Answer, Call, Content, Corrupt, Heavy, Image
from services.imaging.pool.places import Places
from services.imaging.pool.priority import Caller, Done, PrioritySemaphore

_BUDGET = 0.02  # seconds that each of the calls may be estimated to take
_TIMEOUT = 1.0  # seconds for all of them; afterwards each is done alone
_CPU = 5  # seconds of CPU for all of them


@dataclass(frozen=True)
class Work:
    """A call that may be done with others, and the contents of its images."""

    call: Call[Any]
    contents: Sequence[Content]


@dataclass(frozen=True)
class Result:
    """The outcome of a call that was done with others."""

    outcome: Any
    started: float
    """Loop time at which the call of all was started."""


@dataclass(frozen=True)
class Turn:
    """The turn of a call: it has a slot, or another one has done it (`done`)."""

    contents: Sequence[Content]
    """The open images of the call."""
    caller: Caller
    done: Done | None = None


async def result_with_others(
    places: Places, semaphore: PrioritySemaphore, turn: Turn
) -> Result | None:
    """Return what has become of a call with others; None if it is to be done alone."""
    if turn.done is not None:
        result: Result = turn.done.result
        return result
    if turn.caller.work is None or not semaphore.has_urgent:
        return None
    return await _do_with_others(places, semaphore, turn.caller.work)


async def _do_with_others(
    places: Places, semaphore: PrioritySemaphore, work: Work
) -> Result | None:
    """Do a call that has a slot together with up to three that wait; return its result.

    Returns None if the call is to be done alone: no other one waits, it takes longer, or it failed
    with its process or for want of memory. The others have their results, or return to the queue:
    to be done alone, for the same reasons, or as there was no time for them. All of them return if
    this call is cancelled.
    """
    place = await places.take(work.call.source)
    others: list[Caller] = []
    outcomes: Sequence[Any] = ()
    source = ""
    try:
        # From here to where the call is sent nothing waits: the descriptors of a call are closed
        # when its caller leaves.
        others = semaphore.take_share(MAX_JOINED - 1)
        if not others:
            return None
        works = [work, *(one.work for one in others)]
        started = asyncio.get_running_loop().time()
        call, contents = _joined(works)
        try:
            async with asyncio.timeout(_TIMEOUT):
                answer = await attempt(places, place, call, contents, _CPU)
        except (WorkerCrashed, TimeoutError):
            if places.stopped:
                raise
            _have_done_alone(others)
            return None
        outcomes = _outcomes(answer)
        source = works[len(outcomes) - 1].call.source if outcomes else ""
        if not outcomes:
            _have_done_alone(others)
        elif answer.exhausted:
            # The first one without an outcome took the memory.
            _have_done_alone(others[len(outcomes) - 1 : len(outcomes)])
        for one, outcome in zip(others, outcomes[1:], strict=False):
            if _is_for_one_alone(outcome):
                _have_done_alone([one])
            elif not one.answer.done():
                one.answer.set_result(Done(Result(outcome, started)))
    finally:
        places.give_back(place, source)
        semaphore.come_back([one for one in others if not one.answer.done()])
    if not outcomes or _is_for_one_alone(outcomes[0]):
        return None
    return Result(outcomes[0], started)


def _joined(works: Sequence[Work]) -> tuple[Call[Any], list[Content]]:
    """Return one call with the parts and the images of all, and the contents of its images."""
    images: dict[str, tuple[Image, Content]] = {}
    for work in works:
        for image, content in zip(work.call.images, work.contents, strict=True):
            images.setdefault(image.key, (image, content))
    first, *others = (work.call for work in works)
    update = {"images": tuple(image for image, _ in images.values()), "budget": _BUDGET}
    joined = first.with_parts_of(others).model_copy(update=update)
    return joined, [content for _, content in images.values()]


def _outcomes(answer: Answer[Any]) -> Sequence[Any]:
    """Return the outcomes of an answer; none after a bug, as nobody knows whose it is."""
    return () if answer.bug is not None else answer.outcomes


def _have_done_alone(callers: Sequence[Caller]) -> None:
    for one in callers:
        one.work = None


def _is_for_one_alone(outcome: Any) -> bool:
    """Return whether a part has to be done again: it is long, or needs a fresh process.

    So does one with a damaged image: others may have brought the copy of it.
    """
    if isinstance(outcome, Failure):
        return outcome.code == Code.OUT_OF_MEMORY
    return isinstance(outcome, Heavy | Corrupt)

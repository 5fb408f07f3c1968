"""The attempts of a call: one in a pool process, and a second one if that process failed."""

import asyncio
from collections.abc import Sequence

import structlog

from contracts.errors import WorkerCrashed
from services.imaging.pool.messages import Answer, Call, Content, OutcomeT
from services.imaging.pool.places import Place, Places
from services.imaging.pool.process import ProcessDied

log = structlog.get_logger(__name__)


async def do_in_a_place(
    places: Places,
    call: Call[OutcomeT],
    contents: Sequence[Content],
    seconds: int,
    deaths: list[WorkerCrashed],
) -> Answer[OutcomeT]:
    """Do a call, and once more in a fresh process if the process died or its memory ran out.

    `contents` are the call's images, and `seconds` the CPU time of each attempt. If
    this is cancelled, the process is killed unless it ends the call soon. A death before the second
    attempt is added to `deaths`, for a caller whose time ends meanwhile. Raises WorkerCrashed.
    """
    place = await places.take(call.source)
    try:
        try:
            answer = await attempt(places, place, call, contents, seconds)
            if not answer.failed_of_memory or not call.may_repeat:
                return answer
        except WorkerCrashed as exc:
            if not call.may_repeat or places.stopped:
                raise
            deaths.append(exc)
        await places.wait_for_process(place)
        return await attempt(places, place, call, contents, seconds)
    finally:
        places.give_back(place, call.source)


async def attempt(
    places: Places, place: Place, call: Call[OutcomeT], contents: Sequence[Content], seconds: int
) -> Answer[OutcomeT]:
    """Do a call in the process of `place`, which is replaced if it is not to be used again."""
    process = place.process
    assert process is not None
    try:
        answer = await process.call(call, contents, seconds)
    except ProcessDied as exc:
        places.lose(place)
        how = await process.death()
        log.warning("pool process died", how=how, reason=str(exc))
        raise WorkerCrashed(f"The process that worked on this image died of it, {how}.") from exc
    except asyncio.CancelledError:
        # Or late: the process still works.
        places.leave(place, call)
        raise
    if answer.exhausted:
        places.lose(place)
    return answer

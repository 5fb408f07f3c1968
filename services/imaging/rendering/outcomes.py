"""Outcomes of renders: stored results, failures, and heavy parts that a batch has left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from contracts.errors import ServiceError
from contracts.imaging import Rendered
from services.imaging.pool.executor import CallTimes
from services.imaging.pool.messages import Heavy
from services.runtime.redis.scripts import FollowUp


@dataclass(frozen=True)
class Finished:
    """A result that is stored, and its bytes if it was made just now."""

    rendered: Rendered
    data: bytes = b""
    collapsed: bool = False
    """True if an equal request was rendered, and this one waited for it."""


Outcome = Finished | ServiceError | Heavy

Carry = Callable[[Finished, CallTimes], FollowUp | None]
"""Make the reply with a result, for the step that stores it; None if the reply leaves later."""


def in_order(keys: Sequence[str], results: Mapping[str, Outcome]) -> list[Outcome]:
    """Return the outcomes by the keys of requests, up to the first key without one.

    Of requests that are equal, one was rendered.
    """
    listed: list[Outcome] = []
    seen: set[str] = set()
    for key in keys:
        if key not in results:
            break
        result = results[key]
        if key in seen and isinstance(result, Finished):
            result = Finished(result.rendered.model_copy(update={"reused": True}))
        seen.add(key)
        listed.append(result)
    return listed


def finished(outcome: Outcome) -> Finished:
    """Return a result, or raise the failure. A call of one heavy part has no heavy outcome."""
    if isinstance(outcome, ServiceError):
        raise outcome
    assert isinstance(outcome, Finished)
    return outcome

"""A pool process whose renders fail for some sources: `python -m bench.chaos.faults`.

The environment variable `CHAOS_FAULTS` has the fault of each faulty image, by the image's key.
"""

import os
import signal
import time
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import TypeAdapter

from services.imaging.pool import child, tasks
from services.imaging.pool.call_images import CallImages
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.messages import CALLS, Answer, InspectCall, RenderCall

VARIABLE = "CHAOS_FAULTS"


class Fault(StrEnum):
    """The effect of a render on its process."""

    CRASH = "crash"
    HANG = "hang"
    EXHAUST_MEMORY = "exhaust_memory"


FAULTS = TypeAdapter(dict[str, Fault])
"""The format of the environment variable: JSON, faults by image key."""


def perform(
    call: RenderCall | InspectCall, images: CallImages, settings: ChildSettings
) -> Answer[Any]:
    """Cause the first fault among the sources of a render, or else do the call."""
    if isinstance(call, RenderCall):
        for request in call.requests:
            _cause_fault(_FAULTS.get(request.source.key))
    return tasks.perform(call, images, settings)


def _cause_fault(fault: Fault | None) -> None:
    match fault:
        case None:
            return
        case Fault.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        case Fault.HANG:
            time.sleep(3600)
        case Fault.EXHAUST_MEMORY:
            _exhaust_memory()
    raise AssertionError("the process has ended")


def _exhaust_memory() -> NoReturn:
    blocks = []
    while True:
        blocks.append(bytes(1 << 24))


_FAULTS = FAULTS.validate_json(os.environ.get(VARIABLE, "{}"))

if __name__ == "__main__":
    child.serve(CALLS, perform, tasks.warm_up, tasks.rest)

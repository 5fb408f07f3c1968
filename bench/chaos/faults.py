"""A pool process whose renders fail or wait for some sources: `python -m bench.chaos.faults`.

The environment variable `CHAOS_FAULTS` has the fault of each such image, by the image's key, and
`REDIS_URL` the Redis of the gate at which renders wait.
"""

import os
import signal
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn

from pydantic import TypeAdapter

from bench.chaos.gate import Gate
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
    WAIT = "wait"
    """The process waits at the gate, and does the render then."""


FAULTS = TypeAdapter(dict[str, Fault])
"""The format of the environment variable: JSON, faults by image key."""


def perform(
    faults: Mapping[str, Fault],
    gate: Gate,
    call: RenderCall | InspectCall,
    images: CallImages,
    settings: ChildSettings,
) -> Answer[Any]:
    """Cause the faults of a render's sources one after another, and do the call if none is fatal.

    `faults` has them by the sources' keys.
    """
    if isinstance(call, RenderCall):
        for request in call.requests:
            match faults.get(request.source.key):
                case Fault.WAIT:
                    gate.wait()
                case Fault() as fatal:
                    _end_by(fatal)
    return tasks.perform(call, images, settings)


def _end_by(fault: Fault) -> NoReturn:
    match fault:
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


if __name__ == "__main__":
    faults = FAULTS.validate_json(os.environ[VARIABLE])
    faulty = partial(perform, faults, Gate(os.environ["REDIS_URL"]))
    child.serve(CALLS, faulty, tasks.warm_up, tasks.rest)

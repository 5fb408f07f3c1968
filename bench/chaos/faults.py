"""Replacements for the render functions of a pool process: some sources cause a fault.

The environment variable `CHAOS_FAULTS` has the fault of each faulty image, by the image's key.
"""

import os
import signal
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import NoReturn

from pydantic import TypeAdapter

from contracts.errors import ServiceError
from contracts.imaging import Render, Rendered
from services.imaging.pool import tasks
from services.imaging.pool.executor import limit_process
from services.imaging.settings import ImagingSettings

VARIABLE = "CHAOS_FAULTS"

_original_render, _original_render_batch = tasks.render, tasks.render_batch


class Fault(StrEnum):
    """The effect of a render on its process."""

    CRASH = "crash"
    HANG = "hang"
    EXHAUST_MEMORY = "exhaust_memory"


FAULTS = TypeAdapter(dict[str, Fault])
"""The format of the environment variable: JSON, faults by image key."""


def render(
    request: str, settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> Rendered:
    """Cause the source's fault, or else call `services.imaging.pool.tasks.render`."""
    _cause_fault(request, settings)
    return _original_render(request, settings, ttl, keep_source=keep_source)


def render_batch(
    requests: Sequence[str], settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> list[Rendered | ServiceError]:
    """Cause the first fault among the sources, or else call the original `render_batch`."""
    for request in requests:
        _cause_fault(request, settings)
    return _original_render_batch(requests, settings, ttl, keep_source=keep_source)


def _cause_fault(request: str, settings: ImagingSettings) -> None:
    match _FAULTS.get(Render.model_validate_json(request).source.key):
        case None:
            return
        case Fault.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        case Fault.HANG:
            time.sleep(3600)
        case Fault.EXHAUST_MEMORY:
            # A new process has no memory limit before its first render.
            limit_process(settings.process_memory)
            _exhaust_memory()
    raise AssertionError("the process has ended")


def _exhaust_memory() -> NoReturn:
    blocks = []
    while True:
        blocks.append(bytes(1 << 24))


_FAULTS = FAULTS.validate_json(os.environ.get(VARIABLE, "{}"))

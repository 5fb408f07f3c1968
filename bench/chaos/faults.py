"""What runs in a pool process in the place of a render: some sources are deadly here."""

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
from services.imaging.pool.executor import prepare_process
from services.imaging.settings import ImagingSettings

VARIABLE = "CHAOS_POISON"
"""The environment variable with what each poisonous image does, by its key."""

_really_render, _really_render_some = tasks.render, tasks.render_some


class Poison(StrEnum):
    """What a render may do to the process that it is in."""

    CRASH = "crash"
    HANG = "hang"
    DEVOUR = "devour"


KINDS = TypeAdapter(dict[str, Poison])


def render(
    request: str, settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> Rendered:
    """As `services.imaging.pool.tasks.render`, for what is no poison."""
    _swallow(request, settings)
    return _really_render(request, settings, ttl, keep_source=keep_source)


def render_some(
    requests: Sequence[str], settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> list[Rendered | ServiceError]:
    """As `services.imaging.pool.tasks.render_some`, for what is no poison."""
    for request in requests:
        _swallow(request, settings)
    return _really_render_some(requests, settings, ttl, keep_source=keep_source)


def _swallow(request: str, settings: ImagingSettings) -> None:
    match _POISONS.get(Render.model_validate_json(request).source.key):
        case None:
            return
        case Poison.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        case Poison.HANG:
            time.sleep(3600)
        case Poison.DEVOUR:
            prepare_process(settings.process_memory)  # It may be a new one, without its limit yet.
            _devour()
    raise AssertionError("it is deadly")


def _devour() -> NoReturn:
    eaten = []
    while True:
        eaten.append(bytes(1 << 24))


_POISONS = KINDS.validate_json(os.environ.get(VARIABLE, "{}"))

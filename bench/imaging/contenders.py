"""The systems that are compared: how each is installed and started."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.imaging.systems import darkroom, engine, ipx, thumbor
from bench.imaging.systems.interface import Start

ENGINE = "engine"
DARKROOM = ("darkroom GET", "darkroom POST")
OTHERS = ("ipx", "thumbor")
ONE_PROCESS = ("darkroom GET, one process", "engine, one process")


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """A system, used in one way. `install` raises NotInstalled."""

    name: str
    start: Start
    install: Callable[[], None] = _nothing


CONTENDERS = (
    Contender(DARKROOM[0], darkroom.by_get),
    Contender(DARKROOM[1], darkroom.by_post),
    Contender(OTHERS[0], ipx.run, ipx.install),
    Contender(OTHERS[1], thumbor.run, thumbor.install),
    Contender(ENGINE, engine.run),
    Contender(ONE_PROCESS[0], partial(darkroom.by_get, slots=1)),
    Contender(ONE_PROCESS[1], partial(engine.run, slots=1)),
)

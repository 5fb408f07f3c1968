"""Who is compared, and how each is installed and started."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.imaging.systems import darkroom, engine, ipx, thumbor
from bench.imaging.systems.interface import Start

ENGINE = "engine"
DARKROOM = ("darkroom GET", "darkroom POST")
OTHERS = ("ipx", "thumbor")
WITH_ONE = ("darkroom GET, one process", "engine, one process")


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """A system, asked one way."""

    name: str
    start: Start
    install: Callable[[], None] = _nothing


CONTENDERS = (
    Contender(DARKROOM[0], darkroom.getting),
    Contender(DARKROOM[1], darkroom.posting),
    Contender(OTHERS[0], ipx.run, ipx.install),
    Contender(OTHERS[1], thumbor.run, thumbor.install),
    Contender(ENGINE, engine.run),
    Contender(WITH_ONE[0], partial(darkroom.getting, slots=1)),
    Contender(WITH_ONE[1], partial(engine.run, slots=1)),
)

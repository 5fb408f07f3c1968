"""Who is compared, and how each is installed and started."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.imaging.systems import darkroom, engine, ipx, thumbor
from bench.imaging.systems.interface import Start

ENGINE = "engine"
DARKROOM = ("darkroom GET", "darkroom POST")
OTHERS = ("ipx", "thumbor")


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
)

"""What is measured: something that answers over HTTP, or does the pixels at once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from bench.imaging.cases import Case
from bench.imaging.load import Outcome


class NotInstalled(Exception):
    """Why a system can't be measured."""


class Running(Protocol):
    """A system that answers."""

    def one(self, case: Case) -> bytes:
        """A result."""

    def play(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        """Put a load on it."""

    def processes(self) -> dict[str, int]:
        """Its processes by what they do: each with all that it has started."""

    def forget(self) -> None:
        """Drop what the load has left behind."""


Start = Callable[[], AbstractContextManager[Running]]

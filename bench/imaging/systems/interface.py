"""The interface of a measured system: it renders cases and can be loaded."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from bench.imaging.cases import Case
from bench.imaging.load import Outcome


class NotInstalled(Exception):
    """A system cannot be installed here; the text is the reason."""


class Running(Protocol):
    """A system that has started."""

    def request(self, case: Case) -> bytes:
        """Return one result, an encoded image."""

    def load(self, case: Case, warm_up: float, seconds: float) -> Outcome:
        """Request results of the case from all connections; times are in seconds."""

    def processes(self) -> dict[str, int]:
        """Return the system's process ids by name; descendants belong to their root."""

    def clear(self) -> None:
        """Delete the images and results that the load has stored."""


Start = Callable[[], AbstractContextManager[Running]]
"""Starts a system; ends it when the context is left."""

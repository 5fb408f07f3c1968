"""The goals of a benchmark, and whether they were reached."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.markdown import header, row


@dataclass(frozen=True)
class Goal:
    """A goal in words, what was measured, and whether that is enough."""

    text: str
    found: str
    reached: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the goal for JSON."""
        return asdict(self)


def table_of(goals: Sequence[Goal]) -> list[str]:
    """Return the lines of a section with a table of all goals."""
    lines = ["## Goals", "", *header("", "measured", "reached")]
    return [*lines, *(row(one.text, one.found, "yes" if one.reached else "no") for one in goals)]

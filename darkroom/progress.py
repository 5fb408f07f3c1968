"""How a render gets on: a bar for people, lines for everything else, and what failed in the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from darkroom.rendering import Failed, Kept, Outcome, Rendered
from darkroom.terminal import plain


class Tally:
    """Counts outcomes, and shows each on `console`."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._started = time.monotonic()
        self._rendered = self._kept = 0
        self.failed: list[Failed] = []
        self._bar = Progress(
            BarColumn(None),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The bar, on a terminal."""
        with self._bar:
            yield

    def tell(self, outcome: Outcome) -> None:
        """Count one more."""
        match outcome:
            case Rendered():
                self._rendered += 1
            case Kept():
                self._kept += 1
            case Failed():
                self.failed.append(outcome)
            case _:
                assert_never(outcome)
        self._bar.update(self._task, advance=1, description=self.summary())
        if not self._console.is_terminal:
            self._console.print(line(outcome), soft_wrap=True)

    def summary(self) -> str:
        """The counts, and how many a second are rendered."""
        seconds = time.monotonic() - self._started
        counts = f"{self._rendered} done, {self._kept} kept, {len(self.failed)} failed"
        return f"{counts}, {self._rendered / max(seconds, 0.001):.1f}/s"


def line(outcome: Outcome) -> Text:
    """An outcome in a line."""
    photo = plain(outcome.photo.path)
    match outcome:
        case Rendered():
            return Text.assemble("done    ", photo, " -> ", plain(outcome.target))
        case Kept():
            return Text.assemble("kept    ", photo, " -> ", plain(outcome.target))
        case Failed():
            why = plain(f"{outcome.code}: {outcome.detail}")
            return Text.assemble(("failed  ", "red"), photo, ": ", why)
        case _:
            assert_never(outcome)

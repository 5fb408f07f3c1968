"""Report the progress of a render: a progress bar on a terminal, else a line for each file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from darkroom.command.rendering import AlreadyComplete, Failed, Outcome, Rendered
from darkroom.command.terminal import printable


class ProgressReporter:
    """Counts the outcomes of `total` files, and prints them on `console`."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._started = time.monotonic()
        self._rendered = self._already_complete = 0
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
    def displayed(self) -> Iterator[None]:
        """Show the progress bar within this context if the console is a terminal."""
        with self._bar:
            yield

    def report(self, outcome: Outcome) -> None:
        """Count an outcome and print it."""
        match outcome:
            case Rendered():
                self._rendered += 1
            case AlreadyComplete():
                self._already_complete += 1
            case Failed():
                self.failed.append(outcome)
            case _:
                assert_never(outcome)
        self._bar.update(self._task, advance=1, description=self.summary())
        if not self._console.is_terminal:
            self._console.print(outcome_line(outcome), soft_wrap=True)

    def summary(self) -> str:
        """Return the counts, and the files rendered a second."""
        seconds = time.monotonic() - self._started
        counts = f"{self._rendered} done, {self._already_complete} kept, {len(self.failed)} failed"
        return f"{counts}, {self._rendered / max(seconds, 0.001):.1f}/s"


def outcome_line(outcome: Outcome) -> Text:
    """Return an outcome as a line of text."""
    source = printable(outcome.source.path)
    match outcome:
        case Rendered():
            return Text.assemble("done    ", source, " -> ", printable(outcome.target))
        case AlreadyComplete():
            return Text.assemble("kept    ", source, " -> ", printable(outcome.target))
        case Failed():
            reason = printable(f"{outcome.code}: {outcome.detail}")
            return Text.assemble(("failed  ", "red"), source, ": ", reason)
        case _:
            assert_never(outcome)

"""A progress bar on a terminal, and nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


@contextmanager
def progress_bar(
    console: Console, *, total: int | None = None
) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of objects and bytes; call the result with how many of both are done.

    `total` is in bytes, if somebody knows.
    """
    bar = Progress(
        TextColumn("{task.fields[objects]:,} objects"),
        BarColumn(None),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=total, objects=0)
    done = 0

    def advance(objects: int, size: int = 0) -> None:
        nonlocal done
        done += objects
        bar.update(task, advance=size, objects=done)

    with bar:
        yield advance

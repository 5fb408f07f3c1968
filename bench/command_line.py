"""Options and progress messages that the benchmarks' commands share."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """A contender of a benchmark."""

    @property
    def name(self) -> str:
        """The contender's name in the results."""


N = TypeVar("N", bound=Named)


def add_selection(parser: argparse.ArgumentParser, *, rounds: int) -> None:
    """Add the options `--only`, `--rounds` (default: `rounds`) and `--no-write`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only",
        nargs="+",
        default=[""],
        metavar="NAME",
        help="contenders to measure: a whole name, or a part that selects every name with it",
    )
    add_rounds(parser, rounds=rounds)


def add_rounds(parser: argparse.ArgumentParser, *, rounds: int) -> None:
    """Add the options `--rounds` (default: `rounds`) and `--no-write`."""
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="rounds to measure; their median is reported"
    )
    parser.add_argument(
        "--no-write",
        dest="write",
        action="store_false",
        help="print the report and leave the files in bench/results as they are",
    )


def select(contenders: Sequence[N], names: Sequence[str]) -> list[N]:
    """Return the contenders that `names` selects, in the order of `contenders`.

    A name that is the whole name of a contender selects that one; any other name selects every
    contender whose name contains it. Exits with a message when a name selects nothing.
    """
    known = {contender.name for contender in contenders}
    selected: set[str] = set()
    for name in names:
        found = {name} if name in known else {one for one in known if name in one}
        if not found:
            sys.exit(f"There is no contender {name!r}. There are: {', '.join(sorted(known))}.")
        selected |= found
    return [contender for contender in contenders if contender.name in selected]


def in_rounds(contenders: Sequence[N], rounds: int) -> Iterator[N]:
    """Yield every contender in each round, and report which one is measured.

    Every second round runs backwards: a slow minute of the machine hits others then.
    """
    for number in range(rounds):
        for contender in contenders[:: -1 if number % 2 else 1]:
            progress(f"round {number + 1} of {rounds}: {contender.name}")
            yield contender


def progress(line: str) -> None:
    """Write a line to standard error: standard output is for the report."""
    sys.stderr.write(line + "\n")

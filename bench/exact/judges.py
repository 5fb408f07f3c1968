"""A judge, the cases that it looks at, and its verdict."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from bench.exact.needs import Need

ACCEPTED = Path(__file__).parent / "accepted.toml"


@dataclass(frozen=True)
class Case:
    """One answer of Darkroom that a judge has looked at."""

    name: str
    difference: str | None = None  # None: agrees; else one plain sentence with a figure
    refused: bool = False  # Darkroom has no answer, but an error


@dataclass(frozen=True)
class Judge:
    """A program, a library or a calculation that knows the right answer independently."""

    name: str
    subject: str  # what it is asked, for the table: "decoding: 8-bit stills of every format"
    run: Callable[[], Iterable[Case]]
    quick: Callable[[], Iterable[Case]] | None = None  # a few seconds, for the tests
    needs: Sequence[Need] = ()


@dataclass(frozen=True)
class Accepted:
    """A difference that stays, with its reason."""

    judge: str
    cases: str  # a shell pattern of the cases' names
    why: str
    # Of answers and errors an entry covers one kind: an error that is new is a difference.
    refused: bool = False

    def covers(self, judge: str, case: Case) -> bool:
        """Return whether the case of this judge is one of these."""
        return (
            judge == self.judge
            and case.refused is self.refused
            and fnmatchcase(case.name, self.cases)
        )


@dataclass(frozen=True)
class Verdict:
    """Cases of a judge, sorted: those that agree, differ, and differ as accepted."""

    judge: str
    subject: str
    agreeing: int
    differing: Sequence[Case]
    accepted: Sequence[tuple[Case, Accepted]] = ()
    # Entries of `accepted.toml` that cover no difference any more.
    unused: Sequence[Accepted] = field(default=())

    @property
    def cases(self) -> int:
        """The number of cases."""
        return self.agreeing + len(self.accepted) + len(self.differing)


def accepted_differences(path: Path = ACCEPTED) -> list[Accepted]:
    """Read the accepted differences; an entry may have a list of patterns.

    Raises TypeError for an entry without a reason, or with another field.
    """
    entries = tomllib.loads(path.read_text("utf-8")).get("accepted", [])
    return [
        Accepted(**{**entry, "cases": cases})
        for entry in entries
        for cases in ([entry["cases"]] if isinstance(entry["cases"], str) else entry["cases"])
    ]


def judge_cases(
    judge: Judge, cases: Iterable[Case], accepted: Sequence[Accepted], *, whole: bool
) -> Verdict:
    """Sort a judge's cases; entries that cover nothing count as unused if `whole` cases ran."""
    agreeing = 0
    differing: list[Case] = []
    known: list[tuple[Case, Accepted]] = []
    for case in cases:
        if case.difference is None:
            agreeing += 1
        elif entry := next((one for one in accepted if one.covers(judge.name, case)), None):
            known.append((case, entry))
        else:
            differing.append(case)
    used = {entry for _, entry in known}
    unused = [one for one in accepted if one.judge == judge.name and one not in used]
    return Verdict(judge.name, judge.subject, agreeing, differing, known, unused if whole else ())

"""The table of verdicts, on the terminal and in `bench/results/exact.json`."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.environments import RESULTS
from bench.exact.judges import Verdict
from bench.markdown import commit

_HEADS = ("judge", "cases", "agree", "accepted", "differ")


def lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the table, each difference, and each entry that covers none."""
    rows = [_HEADS, *(tuple(map(str, _figures(one).values())) for one in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    for row in rows:
        name, *figures = row
        cells = (cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *cells])
    for verdict in verdicts:
        for case in verdict.differing:
            yield f"{verdict.judge}: {case.name}: {case.difference}"
        for entry in verdict.unused:
            yield f"accepted.toml: {entry.judge}, {entry.cases}: no such difference any more"


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Return whether every difference is accepted, and every accepted one is there."""
    return not any(verdict.differing or verdict.unused for verdict in verdicts)


def write(verdicts: Sequence[Verdict]) -> None:
    """Write `bench/results/exact.json`."""
    accepted = Counter(
        (verdict.judge, entry.cases, entry.why)
        for verdict in verdicts
        for _, entry in verdict.accepted
    )
    document = {
        "commit": commit(),
        "judges": [{**_figures(one), "subject": one.subject} for one in verdicts],
        "accepted": [
            {"judge": judge, "cases": cases, "why": why, "count": count}
            for (judge, cases, why), count in accepted.items()
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (RESULTS / "exact.json").write_text(text + "\n", "utf-8")


def _figures(verdict: Verdict) -> dict[str, str | int]:
    return {
        "judge": verdict.judge,
        "cases": verdict.cases,
        "agree": verdict.agreeing,
        "accepted": len(verdict.accepted),
        "differ": len(verdict.differing),
    }

"""Attacks on a running Darkroom, and the table of their effects.

Each test attacks, claims that the service held, and records what was seen. `make adversary` runs
the long forms, too (marker `long`), prints the table, and writes it to `bench/results`.
"""

import json
import os
from collections.abc import Callable

import pytest

from bench.environments import RESULTS
from bench.markdown import commit

_PROPERTY = "attack"

Record = Callable[[str, str, str], None]


@pytest.fixture
def record_attack(request: pytest.FixtureRequest) -> Record:
    """Record a row of the table: the attack, its effect before, its effect now.

    The effect before is a text, seen by an experiment on version 0.6.0 (commit 0fad85d) or on the
    commit before the fix; the effect now is what this run has measured.
    """

    def record(attack: str, before: str, after: str) -> None:
        row = {"attack": attack, "before": before, "after": after}
        request.node.user_properties.append((_PROPERTY, row))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table and write it, if `WRITE_ATTACKS` is set."""
    if "WRITE_ATTACKS" not in os.environ:
        return
    rows = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    for row in rows:
        terminalreporter.write_line(f"\n{row['attack']}")
        terminalreporter.write_line(f"  before: {row['before']}\n  now:    {row['after']}")
    result = {"commit": commit(), "attacks": rows}
    (RESULTS / "attacks.json").write_text(json.dumps(result, indent=1) + "\n")

"""Golden results change together with a line of the changelog that says why."""

import re

from tests.imaging.engine.test_golden import GOLDEN, mark_of
from tests.processes import ROOT

CHANGELOG = ROOT / "CHANGELOG.md"


def entries(changelog: str) -> list[str]:
    """The entries of the changelog, each in one line."""
    return [" ".join(entry.split()) for entry in re.findall(r"^- .*(?:\n  .*)*", changelog, re.M)]


def test_the_changelog_says_why_the_golden_results_are_as_they_are() -> None:
    mark = mark_of(GOLDEN.read_bytes())
    found = [entry for entry in entries(CHANGELOG.read_text()) if mark in entry]

    assert found, (
        f"The golden results have changed. Look at the changed lines, and add to CHANGELOG.md "
        f"what changed and why it is better, with: (golden results `{mark}`)"
    )
    # More than the mark: what changed, and why it is better.
    assert all(len(entry.split()) >= 12 for entry in found)


def test_another_result_is_another_mark() -> None:
    golden = GOLDEN.read_bytes()

    assert mark_of(golden.replace(b"0", b"1", 1)) != mark_of(golden)
    assert re.fullmatch("[0-9a-f]{8}", mark_of(golden))

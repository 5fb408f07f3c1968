"""Accepted differences are counted apart; one that is gone is an error."""

import json
import re
from pathlib import Path

import pytest

from bench.exact import report
from bench.exact.judges import Accepted, Case, Judge, Verdict, accepted_differences, judge_cases
from bench.exact.needs import Node
from bench.exact.registry import JUDGES

CASES = [Case("png 1"), Case("png 2", "3 levels apart"), Case("gif 1", "4 levels apart")]
JUDGE = Judge("judge", "pictures", run=lambda: CASES)
PNG, GIF = Accepted("judge", "png *", "rounding"), Accepted("judge", "gif *", "rounding")
OTHER = Accepted("another", "*", "rounding")


def verdict(*accepted: Accepted, whole: bool = True) -> Verdict:
    return judge_cases(JUDGE, CASES, accepted, whole=whole)


def test_a_case_differs_unless_it_is_accepted() -> None:
    found = verdict(PNG, OTHER)

    assert (found.cases, found.agreeing) == (3, 1)
    assert [case.name for case, _ in found.accepted] == ["png 2"]
    assert [case.name for case in found.differing] == ["gif 1"]
    assert "judge: gif 1: 4 levels apart" in list(report.lines([found]))
    assert not report.passed([found])


def test_all_accepted_is_passed() -> None:
    assert report.passed([verdict(PNG, GIF)])


def test_an_accepted_difference_that_is_gone_is_an_error_of_the_whole_run() -> None:
    gone = Accepted("judge", "webp *", "rounding")

    assert verdict(PNG, GIF, gone).unused == [gone]
    assert not report.passed([verdict(PNG, GIF, gone)])
    assert report.passed([verdict(PNG, GIF, gone, whole=False)])


def test_an_error_is_accepted_only_as_an_error() -> None:
    refused = Case("gif 1", "refused", refused=True)
    errors = Accepted("judge", "gif *", "cut off", refused=True)

    assert not GIF.covers("judge", refused)
    assert errors.covers("judge", refused)
    assert not errors.covers("judge", CASES[2])


def test_an_accepted_difference_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text('[[accepted]]\njudge = "judge"\ncases = "*"\n')

    with pytest.raises(TypeError, match="why"):
        accepted_differences(path)


def test_every_accepted_difference_has_a_judge_of_that_name() -> None:
    names = [judge.name for judge in JUDGES]

    assert len(set(names)) == len(names)
    assert {entry.judge for entry in accepted_differences()} <= set(names)
    assert all(len(entry.why.split()) > 3 for entry in accepted_differences())


def test_packages_of_node_are_pinned_without_an_address() -> None:
    for judge in JUDGES:
        for need in judge.needs:
            if isinstance(need, Node):
                folder = Path("bench/exact/node", need.name)
                manifest = json.loads((folder / "package.json").read_text())
                lock = (folder / "package-lock.json").read_text()

                assert all(
                    re.fullmatch(r"[\d.]+", version)
                    for version in manifest["dependencies"].values()
                )
                assert '"resolved"' not in lock

"""Darkroom agrees with each judge that is installed: the short form of `make exact`."""

import pytest

from bench.exact import report
from bench.exact.judges import Judge, accepted_differences, judge_cases
from bench.exact.registry import JUDGES

QUICK = [judge for judge in JUDGES if judge.quick]


@pytest.mark.slow
@pytest.mark.parametrize("judge", QUICK, ids=[judge.name for judge in QUICK])
def test_darkroom_agrees_with(judge: Judge) -> None:
    for need in judge.needs:
        if reason := need.missing():
            pytest.skip(reason)
    assert judge.quick

    verdict = judge_cases(judge, judge.quick(), accepted_differences(), whole=False)

    assert verdict.cases > 0
    assert report.passed([verdict]), "\n".join(report.lines([verdict]))

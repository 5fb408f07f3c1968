"""Damaged files of every format: what comes out has a name. `make fuzz` goes on for longer."""

import time

import pytest

from bench import fuzz

CASES = 12  # of each file


@pytest.fixture(scope="module")
def corpus() -> dict[str, bytes]:
    return fuzz.corpus()


def test_whole_files_do_well(corpus: dict[str, bytes]) -> None:
    for number, data in enumerate(corpus.values()):
        for attempt in fuzz.attempts(data, number):
            assert fuzz.outcome(attempt) == "done"


def test_damaged_files_fail_by_name_in_every_attempt(corpus: dict[str, bytes]) -> None:
    outcomes = set()
    for number in range(CASES * len(corpus)):
        name, data = fuzz.damaged(corpus, number)
        started = time.process_time()
        for attempt in fuzz.attempts(data, number):
            try:
                outcomes.add(fuzz.outcome(attempt))
            except Exception as exc:
                pytest.fail(f"case {number}, a damaged {name}, gave {exc!r}")
        assert time.process_time() - started < 4, f"case {number}, a damaged {name}, takes long"

    assert {"done", "image_unreadable"} <= outcomes


def test_a_case_is_the_same_each_time(corpus: dict[str, bytes]) -> None:
    for number in (3, 77, 1234):
        assert fuzz.damaged(corpus, number) == fuzz.damaged(fuzz.corpus(), number)

"""Damaged files of every format end in a result or a named error; `make fuzz` runs for longer."""

import time

import pytest

from bench import fuzz

CASES = 12  # of each file


@pytest.fixture(scope="module")
def corpus() -> dict[str, bytes]:
    return fuzz.corpus()


def test_undamaged_files_succeed(corpus: dict[str, bytes]) -> None:
    for number, data in enumerate(corpus.values()):
        for attempt in fuzz.attempts(data, number):
            assert fuzz.outcome(attempt) == "done"


def test_damaged_files_fail_with_a_named_error(corpus: dict[str, bytes]) -> None:
    outcomes = set()
    for number in range(CASES * len(corpus)):
        name, data = fuzz.damaged(corpus, number)
        started = time.process_time()
        for attempt in fuzz.attempts(data, number):
            try:
                outcomes.add(fuzz.outcome(attempt))
            except Exception as exc:
                pytest.fail(f"case {number}, a damaged {name}, raised {exc!r}")
        assert time.process_time() - started < 4, (
            f"case {number}, a damaged {name}, takes more than 4 s"
        )

    assert {"done", "image_unreadable"} <= outcomes


def test_a_case_number_gives_the_same_bytes_each_time(corpus: dict[str, bytes]) -> None:
    for number in (3, 77, 1234):
        assert fuzz.damaged(corpus, number) == fuzz.damaged(fuzz.corpus(), number)

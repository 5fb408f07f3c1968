"""Damaged files of every format end in a result or a named error; `make fuzz` runs for longer."""

import time

import pytest

from bench.fuzz.attempts import attempts, outcome
from bench.fuzz.corpus import corpus
from bench.fuzz.damage import damaged

CASES = 12  # of each file


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return corpus()


def test_undamaged_files_succeed(files: dict[str, bytes]) -> None:
    for number, data in enumerate(files.values()):
        for attempt in attempts(data, number):
            assert outcome(attempt) == "done"


def test_damaged_files_fail_with_a_named_error(files: dict[str, bytes]) -> None:
    outcomes = set()
    for number in range(CASES * len(files)):
        name, data = damaged(files, number)
        started = time.process_time()
        for attempt in attempts(data, number):
            try:
                outcomes.add(outcome(attempt))
            except Exception as exc:
                pytest.fail(f"case {number}, a damaged {name}, raised {exc!r}")
        assert time.process_time() - started < 4, (
            f"case {number}, a damaged {name}, takes more than 4 s"
        )

    assert {"done", "image_unreadable"} <= outcomes


def test_a_case_number_gives_the_same_bytes_each_time(files: dict[str, bytes]) -> None:
    for number in (3, 77, 1234):
        assert damaged(files, number) == damaged(corpus(), number)

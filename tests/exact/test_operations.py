"""The judges of operations ask about every operation, and notice a wrong result."""

import pytest

from bench.exact.operations import alpha
from bench.exact.operations.questions import questions
from contracts.operations.pipeline import OPERATIONS
from services.imaging.engine.raster import blur


def test_every_operation_is_judged() -> None:
    asked = {question.parsed().op for question in questions()}

    assert asked == set(OPERATIONS), "add it to bench/exact/operations: questions and reference"


def test_no_question_is_asked_twice() -> None:
    names = [question.name for question in questions()]

    assert len(names) == len(set(names))


def test_a_hidden_colour_that_spreads_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [question for question in questions() if question.name == "blur:4 on RGBA"]
    assert [case.difference for case in alpha.judge(asked)] == [None]

    monkeypatch.setattr(blur, "premultiply", lambda image: image)

    assert all(case.difference for case in alpha.judge(asked))

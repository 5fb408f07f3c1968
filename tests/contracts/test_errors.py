"""Errors keep their code and detail as exceptions, as messages and when pickled."""

import pickle

import pytest

from contracts.errors import Code, Failure, Internal, ServiceError

ERRORS = ServiceError.__subclasses__()


def test_every_code_has_exactly_one_exception() -> None:
    assert sorted(error.code for error in ERRORS) == sorted(Code)


@pytest.mark.parametrize("code", Code)
def test_a_failure_survives_conversion_to_an_exception_and_back(code: Code) -> None:
    failure = Failure(code=code, detail="It is so.", retry_after=3)

    error = failure.error()

    assert error.code is code
    assert error.failure() == failure
    assert Failure.model_validate_json(failure.model_dump_json()).error().failure() == failure


@pytest.mark.parametrize("error_class", ERRORS)
def test_an_error_survives_pickling(error_class: type[ServiceError]) -> None:
    error = error_class("It is so.", retry_after=3)

    other = pickle.loads(pickle.dumps(error))

    assert type(other) is error_class
    assert other.failure() == error.failure()
    assert str(other) == "It is so."


def test_a_long_detail_is_cut_off() -> None:
    assert len(Internal("x" * 5000).failure().detail) == 1000


def test_an_exceeded_deadline_is_a_timeout_error() -> None:
    with pytest.raises(TimeoutError):
        raise Failure(code=Code.DEADLINE_EXCEEDED, detail="Late.").error()

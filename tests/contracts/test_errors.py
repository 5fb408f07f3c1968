"""Failures: one name for each, the same as an exception, as a message and in another process."""

import pickle

import pytest

from contracts.errors import Code, Failure, Internal, ServiceError

KINDS = ServiceError.__subclasses__()


def test_every_code_has_one_kind_and_every_kind_a_code() -> None:
    assert sorted(kind.code for kind in KINDS) == sorted(Code)


@pytest.mark.parametrize("code", Code)
def test_a_failure_becomes_its_error_and_that_the_same_failure(code: Code) -> None:
    failure = Failure(code=code, detail="It is so.", retry_after=3)

    error = failure.error()

    assert error.code is code
    assert error.failure() == failure
    assert Failure.model_validate_json(failure.model_dump_json()).error().failure() == failure


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_stays_itself_in_another_process(kind: type[ServiceError]) -> None:
    error = kind("It is so.", retry_after=3)

    other = pickle.loads(pickle.dumps(error))

    assert type(other) is kind
    assert other.failure() == error.failure()
    assert str(other) == "It is so."


def test_a_detail_that_is_too_long_to_travel_is_cut() -> None:
    assert len(Internal("x" * 5000).failure().detail) == 1000


def test_a_deadline_is_a_timeout_to_those_who_expect_one() -> None:
    with pytest.raises(TimeoutError):
        raise Failure(code=Code.DEADLINE_EXCEEDED, detail="Late.").error()

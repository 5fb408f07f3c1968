"""The conditions of a request, in the order of RFC 9110, section 13.2.2."""

import pytest
from starlette.datastructures import Headers

from contracts.errors import PreconditionFailed
from services.gateway.http.conditions import is_not_modified

TAG = '"current"'
BEFORE, THEN, AFTER = (f"{day} Nov 2026 08:49:37 GMT" for day in ("Sun, 01", "Mon, 02", "Tue, 03"))

MET, CURRENT, FAILED = "200", "304", "412"


def verdict(*fields: tuple[str, str], modified: str | None = None) -> str:
    """Return the status of a GET with these header fields."""
    raw = [(name.encode(), value.encode()) for name, value in fields]
    try:
        return CURRENT if is_not_modified(Headers(raw=raw), TAG, modified) else MET
    except PreconditionFailed:
        return FAILED


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (TAG, MET),
        ("*", MET),
        (f'"old", {TAG}', MET),
        (f'"old",,{TAG},', MET),
        ('"old"', FAILED),
        ("", FAILED),
        ("current", FAILED),
        (f"W/{TAG}", FAILED),  # only strong tags match: section 13.1.1
        ('"CURRENT"', FAILED),
    ],
)
def test_if_match_compares_strongly(value: str, status: str) -> None:
    assert verdict(("if-match", value)) == status


@pytest.mark.parametrize(
    ("value", "status"),
    [(TAG, CURRENT), (f"W/{TAG}", CURRENT), ("*", CURRENT), ('"old"', MET), ("", MET)],
)
def test_if_none_match_compares_weakly(value: str, status: str) -> None:
    assert verdict(("if-none-match", value)) == status


def test_several_lines_are_one_list() -> None:
    assert verdict(("if-match", '"old"'), ("if-match", TAG)) == MET
    assert verdict(("if-none-match", '"old"'), ("if-none-match", TAG)) == CURRENT


def test_if_match_comes_before_if_none_match() -> None:
    assert verdict(("if-match", '"old"'), ("if-none-match", TAG)) == FAILED
    assert verdict(("if-match", TAG), ("if-none-match", TAG)) == CURRENT
    assert verdict(("if-match", TAG), ("if-none-match", '"old"')) == MET


@pytest.mark.parametrize(
    ("name", "date", "status"),
    [
        ("if-unmodified-since", BEFORE, FAILED),
        ("if-unmodified-since", THEN, MET),
        ("if-unmodified-since", AFTER, MET),
        ("if-modified-since", BEFORE, MET),
        ("if-modified-since", THEN, CURRENT),
        ("if-modified-since", AFTER, CURRENT),
        ("if-unmodified-since", "Sunday, 01-Nov-26 08:49:37 GMT", FAILED),
        ("if-unmodified-since", "Sun Nov  1 08:49:37 2026", FAILED),
        ("if-unmodified-since", "yesterday", MET),
        ("if-modified-since", "", MET),
    ],
)
def test_dates_count_for_content_with_a_date_alone(name: str, date: str, status: str) -> None:
    assert verdict((name, date), modified=THEN) == status
    assert verdict((name, date)) == MET


def test_a_condition_about_tags_makes_dates_count_for_nothing() -> None:
    assert verdict(("if-match", TAG), ("if-unmodified-since", BEFORE), modified=THEN) == MET
    assert verdict(("if-none-match", '"old"'), ("if-modified-since", AFTER), modified=THEN) == MET

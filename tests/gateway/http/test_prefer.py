"""The Prefer header (RFC 7240)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http.prefer import Preference, parse_prefer


def preferred(*lines: str) -> Preference:
    return parse_prefer(lines, max_wait=60)


@pytest.mark.parametrize(
    ("lines", "respond_async", "wait"),
    [
        ([], False, None),
        (["respond-async"], True, None),
        (["Respond-ASYNC"], True, None),
        (["respond-async, wait=5"], True, 5),
        (["respond-async", "wait=5"], True, 5),
        (["wait = 5 , respond-async"], True, 5),
        (['wait="5"'], False, 5),
        (["respond-async; foo=bar, wait=5; x"], True, 5),
        (['respond-async=""'], True, None),
        (["respond-async=yes"], False, None),
        (["wait=5, wait=9"], False, 5),
        (["wait=soon, wait=9"], False, None),
        (["wait=3600"], False, 60),
        (["wait=-1"], False, None),
        (["wait=1.5"], False, None),
        (["handling=lenient, return=minimal"], False, None),
        (['foo="a, respond-async", wait=2'], False, 2),
        (['foo="a\\", respond-async"'], False, None),
        (["=5", ";", ",,,", "respond-async"], True, None),
        (['foo="unclosed, respond-async'], True, None),
    ],
)
def test_prefer_is_parsed_as_in_the_rfc(
    lines: list[str], respond_async: bool, wait: int | None
) -> None:
    assert preferred(*lines) == Preference(respond_async, wait)


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_header_is_an_error(lines: list[str]) -> None:
    preferred(*lines)


def test_a_long_header_is_parsed_in_linear_time() -> None:
    started = time.process_time()
    for hostile in (
        '"' * 30_000,
        '\\"' * 15_000,
        '"' + '\\"' * 15_000,
        "," * 30_000,
        'a="' * 9_000,
        "a=" + " " * 30_000 + '"',
        "a" + " " * 15_000 + "=" + " " * 15_000 + "(",
    ):
        preferred(hostile)
    assert time.process_time() - started < 0.5


def test_preference_applied_lists_supported_preferences_only() -> None:
    assert preferred("respond-async, wait=5, handling=strict").applied == {
        "Preference-Applied": "respond-async, wait=5"
    }
    assert preferred("handling=strict").applied == {}

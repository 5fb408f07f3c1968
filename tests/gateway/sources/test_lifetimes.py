"""The time for which an answer of a web server may be used."""

import time
from email.utils import formatdate

import httpx
import pytest

from services.gateway.sources.configuration import SourceTable
from services.gateway.sources.kinds.lifetimes import lifetime_of
from services.gateway.sources.kinds.origin import Lifetime

SOURCE = SourceTable(fresh=60, stale_while_revalidate=5, stale_if_error=600)


def lifetime(took: float = 0.0, **fields: str) -> Lifetime:
    headers = {name.replace("_", "-"): text for name, text in fields.items()}
    return lifetime_of(httpx.Headers(headers), SOURCE, took=took)


def ago(seconds: float) -> str:
    return formatdate(time.time() - seconds, usegmt=True)


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ("max-age=100", Lifetime(100, 5, 600)),
        ("MAX-AGE = 100", Lifetime(100, 5, 600)),
        ('max-age="100"', Lifetime(100, 5, 600)),
        ("public, max-age=100, max-age=7", Lifetime(100, 5, 600)),
        ('ext="max-age=7, x", max-age=100', Lifetime(100, 5, 600)),
        ("max-age=100, s-maxage=20", Lifetime(20, 0, 0)),
        ("s-maxage=20, stale-while-revalidate=30", Lifetime(20, 30, 0)),
        ("max-age=9, stale-while-revalidate=30, stale-if-error=40", Lifetime(9, 30, 40)),
        ("max-age=9, must-revalidate, stale-if-error=40", Lifetime(9, 0, 0)),
        ("max-age=9, proxy-revalidate", Lifetime(9, 0, 0)),
        ("max-age=-5", Lifetime(0, 5, 600)),
        ("max-age=1e9", Lifetime(0, 5, 600)),
        ("max-age", Lifetime(0, 5, 600)),
        ("max-age=" + "9" * 15, Lifetime(31_536_000, 5, 600)),
        ("max-age=" + "9" * 5000, Lifetime(0, 5, 600)),
        ("no-cache, max-age=100", Lifetime(0, 0, 0)),
        ("no-store", Lifetime(0, 0, 0, stored=False)),
        ("private, max-age=100", Lifetime(0, 0, 0, stored=False)),
        ('private="set-cookie", max-age=1', Lifetime(0, 0, 0, stored=False)),
        ("", Lifetime(60, 5, 600)),
    ],
)
def test_directives_decide(directives: str, expected: Lifetime) -> None:
    assert lifetime(cache_control=directives) == expected


def test_the_age_of_an_answer_is_no_part_of_its_life() -> None:
    assert lifetime(cache_control="max-age=100", age="30").fresh == 70
    assert lifetime(cache_control="max-age=100", age="30", took=2.0).fresh == 68
    assert lifetime(cache_control="max-age=100", age="300").fresh == 0
    assert lifetime(cache_control="max-age=100", age="x").fresh == 100
    assert 40 <= lifetime(cache_control="max-age=100", date=ago(40)).fresh <= 61


def test_a_date_of_expiry_counts_from_the_date_of_the_answer() -> None:
    assert 80 <= lifetime(expires=ago(-100)).fresh <= 100
    assert lifetime(expires=ago(-100), cache_control="max-age=7").fresh == 7
    assert lifetime(expires="0").fresh == 0
    assert lifetime(expires=ago(10)).fresh == 0


def test_a_guess_is_a_tenth_of_the_time_since_the_last_change_up_to_a_day() -> None:
    assert 99 <= lifetime(last_modified=ago(1000)).fresh <= 110
    assert lifetime(last_modified=ago(10_000_000)).fresh == 86_400
    assert lifetime(last_modified=ago(-1000)).fresh == 0
    assert lifetime(last_modified="yesterday").fresh == 60


def test_an_answer_that_depends_on_anything_is_not_kept() -> None:
    assert not lifetime(cache_control="max-age=100", vary="*").stored
    assert lifetime(cache_control="max-age=100", vary="Accept, Origin").stored

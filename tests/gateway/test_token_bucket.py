"""A token bucket holds up to its size, and fills at its rate."""

import time

import pytest

from services.gateway.token_bucket import TokenBucket


def test_tokens_are_taken_at_once_and_come_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    bucket = TokenBucket(rate=2, size=10)

    assert bucket.take(7)
    assert not bucket.take(4)
    assert bucket.take(3)
    assert not bucket.take()
    now += 0.5
    assert bucket.take()
    assert not bucket.take()
    now += 1000
    assert bucket.take(10)
    assert not bucket.take(0.1)
    assert not TokenBucket(rate=2, size=10).take(11)

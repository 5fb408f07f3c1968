"""A host that stays silent gets a pause and then one try; a host that answers gets its slots."""

import time

import pytest

from services.gateway.webhooks.receivers import Receivers
from services.runtime.jobs.webhook_queue import HostLimit


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def deliver(receivers: Receivers, host: str, *, answered: bool | None) -> None:
    receivers.on_start(host)
    receivers.on_end(host, answered=answered)


def limit_of(receivers: Receivers, name: str) -> HostLimit:
    return {limit.host: limit for limit in receivers.limits()}[name]


def test_running_deliveries_use_up_a_hosts_slots_and_those_of_unknown_hosts() -> None:
    receivers = Receivers(16, host_slots=4)
    for _ in range(3):
        receivers.on_start("a")
    receivers.on_start("b")

    assert limit_of(receivers, "a").free == 1
    assert receivers.unanswered == 8 - 4
    receivers.on_end("a", answered=True)
    assert limit_of(receivers, "a") == HostLimit("a", 2, 0.0, answers=True)
    assert receivers.unanswered == 8 - 1


def test_a_silent_host_gets_a_pause_that_doubles_and_one_try_after_it(clock: Clock) -> None:
    receivers = Receivers(16, host_slots=4)
    for _ in range(5):
        assert all(limit.free == 4 for limit in receivers.limits())
        deliver(receivers, "a", answered=False)

    assert limit_of(receivers, "a") == HostLimit("a", 0, 15.0, answers=False)
    clock.now += 16
    assert limit_of(receivers, "a").free == 1
    deliver(receivers, "a", answered=False)
    assert limit_of(receivers, "a").wait == 30.0
    clock.now += 31
    deliver(receivers, "a", answered=True)
    assert limit_of(receivers, "a") == HostLimit("a", 4, 0.0, answers=True)


def test_a_delivery_that_sends_nothing_says_nothing_about_the_host() -> None:
    receivers = Receivers(16, host_slots=4)
    deliver(receivers, "a", answered=True)
    deliver(receivers, "a", answered=None)

    assert limit_of(receivers, "a").answers


def test_only_the_latest_hosts_are_remembered_and_all_that_run() -> None:
    receivers = Receivers(16, host_slots=4)
    receivers.on_start("runs")
    for number in range(1000):
        deliver(receivers, f"host-{number}", answered=True)

    names = [limit.host for limit in receivers.limits()]
    assert len(names) == 256
    assert names[0] == "runs"
    assert names[-1] == "host-999"

"""Redis's clock as a process estimates it."""

import pytest

from services.runtime.liveness.server_clock import Clock


def test_a_slow_measurement_does_not_move_the_clock() -> None:
    clock = Clock(host=lambda: 100.0)
    clock.set(asked=99.999, answered=100.001, server=105.0)
    clock.set(asked=96.0, answered=100.0, server=105.0)
    assert clock.now() == pytest.approx(105.0)
    for _ in range(20):
        clock.set(asked=96.0, answered=100.0, server=108.0)
    assert clock.now() == pytest.approx(110.0), "unless every measurement is slow"

"""Estimate of the time after which a refused caller should try again."""

import math

_WEIGHT = 0.1


class RetryAfter:
    """Exponential moving average of the time that one call or job takes."""

    def __init__(self) -> None:
        self._mean: float | None = None

    def observe(self, seconds: float) -> None:
        """Add the duration of one call or job."""
        mean = seconds if self._mean is None else self._mean
        self._mean = mean + _WEIGHT * (seconds - mean)

    def wait(self, ahead: int, *, parallel: int = 1) -> int:
        """Return the whole seconds until `ahead` calls are done, `parallel` at once; 1 to 60."""
        seconds = (self._mean or 0.0) * ahead / parallel
        return min(60, max(1, math.ceil(seconds)))

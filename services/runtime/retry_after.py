"""How fast answers come, and so how long somebody who is refused should wait."""

import math

_WEIGHT = 0.1


class RetryAfter:
    """The mean time that one piece of work takes, the latest counting most."""

    def __init__(self) -> None:
        self._mean: float | None = None

    def observe(self, seconds: float) -> None:
        """Take in that a piece of work took `seconds`."""
        mean = seconds if self._mean is None else self._mean
        self._mean = mean + _WEIGHT * (seconds - mean)

    def wait(self, ahead: int, *, abreast: int = 1) -> int:
        """Whole seconds until `ahead` pieces are done, `abreast` at a time; from 1 to 60."""
        seconds = (self._mean or 0.0) * ahead / abreast
        return min(60, max(1, math.ceil(seconds)))

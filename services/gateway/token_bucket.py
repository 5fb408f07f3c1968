"""A limit on a rate."""

import time


class TokenBucket:
    """Holds up to `size` tokens, and gets `rate` new ones a second."""

    def __init__(self, *, rate: float, size: float) -> None:
        self._rate = rate
        self._size = self._tokens = size
        self._filled_at = time.monotonic()

    def take(self, tokens: float = 1) -> bool:
        """Take some tokens; return False, and take none, if there are not so many."""
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if tokens > self._tokens:
            return False
        self._tokens -= tokens
        return True

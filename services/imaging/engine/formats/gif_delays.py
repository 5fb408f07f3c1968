"""How long a GIF's frames last: hundredths of a second, where others have thousandths."""

_TICK = 10  # milliseconds
# Whatever lasts no longer is shown for 100 ms by browsers, in a GIF as in all other formats.
_TOO_FAST = 10
_SHORTEST, LONGEST = 20, 655_350


class Delays:
    """Each frame's time in whole ticks; what it is off by goes to the next, so the film is as long.

    A frame that browsers show as long as it says is never one that they slow down.
    """

    def __init__(self) -> None:
        self._owed = 0

    def after(self, duration: int) -> int:
        """The time of the next frame, in milliseconds."""
        if duration <= _TOO_FAST:
            return -(-duration // _TICK) * _TICK
        due = duration + self._owed
        delay = max(_SHORTEST, min((due + _TICK // 2) // _TICK * _TICK, LONGEST))
        # No more than a tick's half: a pause at the end does not pay for all that was too fast.
        self._owed = max(-_TICK // 2, min(due - delay, _TICK // 2))
        return delay

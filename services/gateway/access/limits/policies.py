"""The limits of a caller: from the settings, and from its key where that has its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.access.keys import KeyLimits
from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.settings import GatewaySettings

LEASE = 0.25
"""Seconds for which a gateway may keep calls that it has taken in advance."""

MEGAPIXEL = 1_000_000
POLICIES = CALLS, MEGAPIXELS, DAY, KEY_DAY = "calls", "megapixels", "day", "key-day"
"""Names of the policies, which clients see."""

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in units a second, of which a window's worth may be taken at once."""

    per_second: float
    window: float

    @property
    def burst(self) -> float:
        """The units that may be taken at once."""
        # 0.09 a second in 1/0.09 seconds are one, and not a little less.
        return round(self.per_second * self.window, 6)

    @property
    def arguments(self) -> tuple[float, float]:
        """Microseconds of a unit and of the window, for the script."""
        return _MICRO / self.per_second, self.window * _MICRO


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a caller; None for no limit. They count pixels, and people read megapixels."""

    calls: Rate | None = None
    pixels: Rate | None = None
    day: int | None = None
    """Pixels a day of the project."""
    key_day: int | None = None
    """Pixels a day of the key."""

    @property
    def counts_pixels(self) -> bool:
        """True if any limit counts pixels."""
        return (self.pixels, self.day, self.key_day) != (None, None, None)

    @property
    def arguments(self) -> Sequence[float | str]:
        """The arguments of the script, which are the same for all of its commands."""
        return (
            *(self.calls.arguments if self.calls else ("", "")),
            *(self.pixels.arguments if self.pixels else ("", "")),
            *("" if limit is None else limit for limit in (self.day, self.key_day)),
        )

    @property
    def field(self) -> bytes:
        """The value of `RateLimit-Policy` (IETF draft httpapi-ratelimit-headers-11)."""
        policies = []
        if self.calls:
            policies.append(f'"{CALLS}";q={int(self.calls.burst)};w={round(self.calls.window)}')
        if self.pixels:
            quota = int(self.pixels.burst / MEGAPIXEL)
            policies.append(f'"{MEGAPIXELS}";q={quota};qu="megapixels";w={self.pixels.window:.0f}')
        policies += [
            f'"{name}";q={limit // MEGAPIXEL};qu="megapixels";w=86400'
            for name, limit in ((DAY, self.day), (KEY_DAY, self.key_day))
            if limit is not None
        ]
        return ", ".join(policies).encode()


class Policies:
    """Finds the limits of a caller."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.any_for_all = any(
            (settings.rate_calls, settings.rate_megapixels, settings.daily_megapixels)
        )
        """True if the settings limit callers without limits of their own."""

    def limits_of(self, caller: Caller) -> Limits | None:
        """Return what a caller may take; None without any limit.

        Rates are those of a key. A caller without one (of a signed URL or a preset) has none, as a
        page may need many images at once, and its project's day still counts. While access is open,
        everybody is one caller.
        """
        settings, own = self._settings, caller.limits or KeyLimits()
        calls = pixels = None
        if caller.key or caller is EVERYBODY:
            per_second = settings.rate_calls if own.rate_calls is None else own.rate_calls
            calls = _calls(per_second, settings.rate_calls_window)
            per_second = (
                settings.rate_megapixels if own.rate_megapixels is None else own.rate_megapixels
            )
            if per_second:
                pixels = Rate(per_second * MEGAPIXEL, settings.rate_megapixels_window)
        limits = Limits(
            calls,
            pixels,
            day=settings.daily_megapixels * MEGAPIXEL or None,
            key_day=None if own.daily_megapixels is None else own.daily_megapixels * MEGAPIXEL,
        )
        return None if limits == Limits() else limits


def _calls(per_second: float, window: float) -> Rate | None:
    """Return the rate of calls, of which one may always be made at once.

    What gateways take in advance may be used up to `LEASE` seconds later, beside what has come back
    meanwhile: the window is shorter by so much, so that both together stay within the burst.
    """
    if not per_second:
        return None
    kept_back = LEASE if advance_of(per_second) else 0.0
    return Rate(per_second, max(window - kept_back, 1 / per_second))


def advance_of(per_second: float) -> int:
    """Return the most calls of a rate that a gateway takes in advance."""
    return int(per_second * LEASE)

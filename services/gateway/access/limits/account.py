"""The account of one caller in this process: what it takes, and what it has left.

Redis counts for all gateways together. Calls are taken in advance, a few at a time, so that answers
from memory rarely need a trip: as many as the caller makes within a moment, and never for longer.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.errors import QuotaExceeded, RateLimited, ServiceError
from services.gateway.access.limits.policies import (
    CALLS,
    DAY,
    KEY_DAY,
    LEASE,
    MEGAPIXEL,
    MEGAPIXELS,
    Limits,
    Rate,
    advance_of,
)
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.shared_calls import SharedCalls

_LIMITS = load_script(__package__, "limits", when_full=True)
_TRIP = 5.0  # seconds that a trip may take
_LEASES = 4  # in the time of one, at a steady rate: so few calls are lost when a caller stops
_DAY = 86_400

OnRefusal = Callable[[str], None]
"""Is called with the name of the policy that refuses a request."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Accounts that a request counts for: the caller's own rates, its project's day, its key's."""

    caller: str
    project: str
    key: str

    def names(self) -> tuple[str, str, str]:
        """Return the names of their keys in Redis."""
        days = keys.day_of(f"project:{self.project}"), keys.day_of(f"key:{self.key}")
        return keys.rates_of(self.caller), *days


@dataclass(slots=True)
class _Left:
    """The rest of each limit at a moment of this process's clock."""

    at: float
    calls: int
    pixels: int
    day: int
    key_day: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Pixels that were taken, at a moment of Redis's clock (us)."""

    pixels: int
    at: int


class Account:
    """The account of one caller: takes from its limits. Raises what `RedisClient` raises."""

    def __init__(
        self, redis: RedisClient, owners: Owners, limits: Limits, on_refusal: OnRefusal
    ) -> None:
        self.limits = limits
        self.policy = limits.field
        """The value of `RateLimit-Policy`."""
        self._redis = redis
        self._keys = owners.names()
        self._arguments = limits.arguments
        self._on_refusal = on_refusal
        self._trips = SharedCalls[None]("limits")
        self._waiting = 0
        self._lease: float = 0
        """Calls that are taken and were not made yet."""
        self._lease_at = 0
        self._lease_ends = -math.inf
        # Calls in the present period, which is as long as a lease, and in the one before.
        self._made, self._made_before, self._period = 0, 0.0, time.monotonic()
        self._refused_until = -math.inf
        self._left: _Left | None = None

    async def take_call(self) -> None:
        """Count one call. Raises RateLimited."""
        if self.take_leased_call():
            return
        self._made += 1
        while (now := time.monotonic()) >= self._lease_ends or self._lease < 1:
            if now < self._refused_until:
                raise self._too_many_calls(self._refused_until - now)
            self._waiting += 1
            try:
                await self._trips.run("calls", self._take_calls, timeout=_TRIP, lasting=2 * _TRIP)
            finally:
                self._waiting -= 1
        self._lease -= 1

    def take_leased_call(self) -> bool:
        """Count one call, if one is here that was taken in advance; return False otherwise."""
        if time.monotonic() >= self._lease_ends or self._lease < 1:
            return False
        self._made += 1
        self._lease -= 1
        return True

    def give_back_call(self) -> None:
        """Take back one call that was counted: this service could not answer it."""
        if self.limits.calls is None:
            return
        if time.monotonic() < self._lease_ends:
            self._lease += 1
        else:
            self._change_soon(self._lease_at, calls=-1)

    async def take_pixels(self, pixels: int) -> Taken:
        """Count pixels that are about to be rendered. Raises RateLimited and QuotaExceeded."""
        refused_by, wait, _, at = await self._run("take", 0, pixels)
        if refused_by:
            raise self._refusal(refused_by, wait, pixels)
        return Taken(pixels, at)

    def correct(self, taken: Taken, pixels: int) -> Taken:
        """Count other pixels in place of those that were taken: fewer, none, or more than are left.

        More are owed: the next ones wait until they have come back.
        """
        if pixels != taken.pixels:
            self._change_soon(taken.at, pixels=pixels - taken.pixels)
        return Taken(pixels, taken.at)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields that tell a caller its limits, and what is left of them."""
        fields = [(b"ratelimit-policy", self.policy)]
        if left := self.field():
            fields.append((b"ratelimit", left))
        return fields

    def field(self) -> bytes:
        """Return the value of `RateLimit`: what is left, as far as this process has heard."""
        known = self._left
        if known is None:
            return b""
        passed = time.monotonic() - known.at
        items = []
        if rate := self.limits.calls:
            level = min(rate.burst, known.calls + self._lease + passed * rate.per_second)
            items.append(_item(CALLS, rate, level, unit=1))
        if rate := self.limits.pixels:
            level = min(rate.burst, known.pixels + passed * rate.per_second)
            items.append(_item(MEGAPIXELS, rate, level, unit=MEGAPIXEL))
        until = _DAY - int(time.time()) % _DAY
        for name, limit, left in (
            (DAY, self.limits.day, known.day),
            (KEY_DAY, self.limits.key_day, known.key_day),
        ):
            if limit is not None:
                items.append(f'"{name}";r={left // MEGAPIXEL};t={until}')
        return ", ".join(items).encode()

    async def _take_calls(self) -> None:
        """Take calls for those who wait, and some in advance."""
        rate = self.limits.calls
        wanted = 0 if rate is None else self._waiting + self._advance(rate)
        refused_by, wait, granted, at = await self._run("take", wanted, 0)
        now = time.monotonic()
        if refused_by:
            self._refused_until = now + wait
            return
        self._lease = math.inf if rate is None else granted
        self._lease_at, self._lease_ends = at, now + LEASE

    def _advance(self, rate: Rate) -> int:
        """Return the calls to take in advance: a part of those in a lease at the present rate."""
        now = time.monotonic()
        passed = now - self._period
        if passed >= LEASE:
            self._made_before = self._made * LEASE / passed
            self._made, self._period = 0, now
        expected = max(self._made, self._made_before)
        return min(int(expected / _LEASES), advance_of(rate.per_second))

    async def _run(self, *command: Any) -> tuple[str, float, int, int]:
        """Run a command of the script.

        Returns the policy that refuses (or ""), the seconds after which it would not (-1: never),
        the calls that were taken, and the moment.
        """
        name, *rest = command
        reply = await self._redis.script(_LIMITS, self._keys, (name, *self._arguments, *rest))
        self._learn(reply)
        refused_by, wait, granted, at, *_ = reply
        return refused_by.decode(), wait if wait < 0 else wait / 1_000_000, granted, at

    def _change_soon(self, at: int, *, calls: int = 0, pixels: int = 0) -> None:
        """Change what was taken. Without a reply it stays as it is: nobody waits for this."""
        arguments = ("change", *self._arguments, at, calls, pixels)
        self._redis.script_soon(_LIMITS, self._keys, arguments, self._learn)

    def _learn(self, reply: Any) -> None:
        if not isinstance(reply, Exception):
            self._left = _Left(time.monotonic(), *reply[4:])

    def _too_many_calls(self, wait: float) -> ServiceError:
        self._on_refusal(CALLS)
        assert self.limits.calls is not None
        seconds = _whole(wait)
        return RateLimited(
            f"{self.limits.calls.per_second:g} calls a second are allowed; the next one is in"
            f" {seconds} s.",
            retry_after=seconds,
        )

    def _refusal(self, policy: str, wait: float, pixels: int) -> ServiceError:
        self._on_refusal(policy)
        cost = f"This request costs {pixels / MEGAPIXEL:.1f} megapixels, and "
        if wait < 0:
            unit = "at once" if policy == MEGAPIXELS else "a day"
            return QuotaExceeded(f"{cost}{self._most(policy)} are allowed {unit}.")
        seconds = _whole(wait)
        if policy == MEGAPIXELS:
            assert self.limits.pixels is not None
            allowed = self.limits.pixels.per_second / MEGAPIXEL
            detail = f"{cost}{allowed:g} a second are allowed; it can be done in {seconds} s."
            return RateLimited(detail, retry_after=seconds)
        detail = f"{cost}too few are left of the {self._most(policy)} of this day (UTC)."
        return QuotaExceeded(detail, retry_after=seconds)

    def _most(self, policy: str) -> str:
        rate, limits = self.limits.pixels, self.limits
        most = {DAY: limits.day, KEY_DAY: limits.key_day, MEGAPIXELS: rate and rate.burst}[policy]
        return f"{(most or 0) / MEGAPIXEL:g}"


def _item(name: str, rate: Rate, level: float, *, unit: int) -> str:
    """Return a service limit: what is left in units, and the seconds until there is one more."""
    left = max(0, int(level / unit))
    if level >= rate.burst:
        return f'"{name}";r={left}'
    return f'"{name}";r={left};t={_whole((unit * (left + 1) - level) / rate.per_second)}'


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))

"""Bounds of one caller: calls, megapixels, a day; on one gateway and on several."""

import asyncio
import time
from dataclasses import replace

import pytest

from contracts.errors import QuotaExceeded, RateLimited
from services.gateway.access.caller import EVERYBODY
from services.gateway.access.limits.account import Account, Owners
from services.gateway.access.limits.policies import (
    LEASE,
    MEGAPIXEL,
    Limits,
    Policies,
    Rate,
)
from services.gateway.settings import GatewaySettings
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.gateway.access.limits.conftest import NewAccount


def megapixels(number: float) -> int:
    return int(number * MEGAPIXEL)


def pixel_rate(per_second: float, window: float) -> Limits:
    return Limits(pixels=Rate(per_second * MEGAPIXEL, window))


def call_limits(per_second: float, window: int) -> Limits:
    """The limits of calls that a gateway with these settings has."""
    settings = GatewaySettings(rate_calls=per_second, rate_calls_window=window)
    limits = Policies(settings).limits_of(EVERYBODY)
    assert limits is not None
    return limits


async def calls_until_refused(account: Account) -> int:
    made = 0
    while True:
        try:
            await account.take_call()
        except RateLimited:
            return made
        made += 1


async def refusal_of(account: Account) -> RateLimited:
    """Call until a call is refused, and return the refusal."""
    while True:
        try:
            await account.take_call()
        except RateLimited as refused:
            return refused


@pytest.mark.parametrize("per_second", [0.03, 0.09, 0.12, 0.3])
async def test_what_is_a_whole_burst_passes_at_rates_that_are_no_whole_microseconds(
    gateway_account: NewAccount, per_second: float
) -> None:
    calls, pixels = call_limits(per_second, 1), pixel_rate(per_second, 1 / per_second)
    account = gateway_account(Limits(calls.calls, pixels.pixels))

    assert account.policy.startswith(b'"calls";q=1;w=')
    assert await calls_until_refused(account) == 1
    await account.take_pixels(MEGAPIXEL)
    with pytest.raises(RateLimited):
        await account.take_pixels(MEGAPIXEL)


async def test_a_burst_passes_and_the_next_call_waits_for_the_rate(
    gateway_account: NewAccount,
) -> None:
    account = gateway_account(Limits(calls=Rate(0.02, 400)))
    assert await calls_until_refused(account) == 8
    with pytest.raises(RateLimited, match=r"0\.02 calls a second are allowed") as refused:
        await account.take_call()
    assert 30 < (refused.value.retry_after or 0) <= 50


async def test_a_call_passes_after_the_seconds_that_the_refusal_names(
    gateway_account: NewAccount,
) -> None:
    account = gateway_account(Limits(calls=Rate(1, 2)))
    refused = await refusal_of(account)
    assert refused.retry_after == 1
    await asyncio.sleep(refused.retry_after)
    await account.take_call()


async def test_four_gateways_never_pass_more_than_the_burst_and_the_rate(
    gateway_account: NewAccount,
) -> None:
    # 200 calls a second: gateways take some in advance.
    gateways = [gateway_account(call_limits(200, window=1)) for _ in range(4)]
    passed = 0

    async def call(account: Account, seconds: float) -> None:
        nonlocal passed
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                await account.take_call()
                passed += 1
            except RateLimited:
                await asyncio.sleep(0.01)

    began = time.monotonic()
    for seconds in (0.7, 0.3):
        await asyncio.gather(*(call(one, seconds) for one in gateways for _ in range(8)))
        # They keep what they have taken in advance, while calls come back, and begin again.
        await asyncio.sleep(LEASE / 2)

    while passed <= 200:  # a busy machine has made few calls so far
        await asyncio.gather(*(call(one, 0.3) for one in gateways))
    assert passed <= 200 + 200 * (time.monotonic() - began)


async def test_calls_that_were_taken_in_advance_add_nothing_to_a_burst(
    gateway_account: NewAccount,
) -> None:
    limits = call_limits(40, window=1)
    first, second = gateway_account(limits), gateway_account(limits)
    first._made = 1000  # as after many calls: it takes ten in advance
    await first.take_call()
    assert first._lease == 10
    await asyncio.sleep(LEASE * 0.8)  # most of them come back
    began = time.monotonic()

    passed = await calls_until_refused(second) + await calls_until_refused(first)

    assert passed <= 40 + 40 * (time.monotonic() - began)


async def test_a_steady_caller_below_its_rate_is_never_refused(gateway_account: NewAccount) -> None:
    account = gateway_account(Limits(calls=Rate(400, 1)))
    began = time.monotonic()
    for number in range(150):
        await asyncio.sleep(max(0.0, began + number / 300 - time.monotonic()))
        await account.take_call()


async def test_calls_one_after_another_share_trips(
    gateway_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = gateway_account(call_limits(100_000, window=10))
    trips, run = 0, account._take_calls

    async def counted() -> None:
        nonlocal trips
        trips += 1
        await run()

    monkeypatch.setattr(account, "_take_calls", counted)

    for _ in range(1000):
        await account.take_call()

    assert trips < 100


async def test_a_call_that_is_cancelled_leaves_the_others_theirs(
    gateway_account: NewAccount,
) -> None:
    account = gateway_account(Limits(calls=Rate(1, 5)))
    calls = [asyncio.create_task(account.take_call()) for _ in range(5)]
    await asyncio.sleep(0)

    calls[0].cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(one) for one in outcomes[:1]] == [asyncio.CancelledError]
    assert outcomes[1:] == [None] * 4


async def test_a_call_that_is_given_back_can_be_made_again(gateway_account: NewAccount) -> None:
    account = gateway_account(Limits(calls=Rate(1, 1)))
    await account.take_call()
    account.give_back_call()
    await account.take_call()


async def test_pixels_wait_until_they_have_come_back(gateway_account: NewAccount) -> None:
    account = gateway_account(pixel_rate(0.1, 600))
    await account.take_pixels(megapixels(50))
    with pytest.raises(RateLimited, match=r"costs 24\.0 megapixels, and 0\.1 a second") as refused:
        await account.take_pixels(megapixels(24))
    assert 100 < (refused.value.retry_after or 0) <= 140

    await account.take_pixels(megapixels(10))


async def test_what_costs_more_than_may_be_taken_at_once_is_never_done(
    gateway_account: NewAccount,
) -> None:
    account = gateway_account(pixel_rate(1, 10))
    with pytest.raises(
        QuotaExceeded, match=r"24\.0 megapixels, and 10 are allowed at once"
    ) as refused:
        await account.take_pixels(megapixels(24))
    assert refused.value.retry_after is None


async def test_a_refused_request_takes_nothing_of_any_limit(gateway_account: NewAccount) -> None:
    account = gateway_account(
        Limits(pixels=Rate(megapixels(1), 10), day=megapixels(100), key_day=megapixels(5))
    )
    with pytest.raises(QuotaExceeded, match="5 are allowed a day"):
        await account.take_pixels(megapixels(6))

    assert account.field().startswith(b'"megapixels";r=10, "day";r=100;t=')


async def test_pixels_come_back_whole_at_once_and_in_part_later(
    gateway_account: NewAccount, redis: RedisClient, owners: Owners
) -> None:
    account = gateway_account(pixel_rate(0.01, 1000))
    taken = await account.take_pixels(megapixels(10))
    account.correct(taken, 0)
    taken = await account.take_pixels(megapixels(9))
    # As 300 seconds later: of 10, 3 have come back by the rate, and would be there twice.
    ago = -300 * 1_000_000
    await redis.execute("HINCRBY", keys.rates_of(owners.caller), "pixels", ago)
    await account.take_pixels(megapixels(1))
    account.correct(replace(taken, at=taken.at + ago), 0)
    await account.take_pixels(megapixels(9))
    with pytest.raises(RateLimited):
        await account.take_pixels(megapixels(1))


async def test_more_pixels_than_were_taken_are_owed(gateway_account: NewAccount) -> None:
    account = gateway_account(pixel_rate(0.1, 100))
    taken = await account.take_pixels(megapixels(5))
    account.correct(taken, megapixels(25))
    with pytest.raises(RateLimited) as refused:
        await account.take_pixels(megapixels(1))
    assert 80 < (refused.value.retry_after or 0) <= 110


async def test_the_keys_of_a_project_share_its_day(redis: RedisClient, owners: Owners) -> None:
    limits = Limits(day=megapixels(30))
    first, second = (
        Account(redis, Owners(name, owners.project, name), limits, on_refusal=lambda _: None)
        for name in (f"{owners.key}1", f"{owners.key}2")
    )
    taken = await first.take_pixels(megapixels(24))
    with pytest.raises(QuotaExceeded, match="left of the 30 of this day") as refused:
        await second.take_pixels(megapixels(7))
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 86_400

    first.correct(taken, megapixels(20))

    await second.take_pixels(megapixels(7))


async def test_a_new_day_begins_with_nothing_used(
    redis: RedisClient, owners: Owners, gateway_account: NewAccount
) -> None:
    account = gateway_account(Limits(day=megapixels(30)))
    await account.take_pixels(megapixels(30))

    await redis.execute("HINCRBY", keys.day_of(f"project:{owners.project}"), "day", -1)

    await account.take_pixels(megapixels(30))


async def test_a_clock_that_was_set_back_locks_nobody_out_for_long(
    redis: RedisClient, owners: Owners, gateway_account: NewAccount
) -> None:
    hour = 3600 * 1_000_000
    account = gateway_account(Limits(calls=Rate(1, 3)))
    await account.take_call()
    await redis.execute("HINCRBY", keys.rates_of(owners.caller), "calls", hour)

    with pytest.raises(RateLimited) as refused:
        await gateway_account(account.limits).take_call()
    assert refused.value.retry_after is not None
    assert refused.value.retry_after <= 4


async def test_redis_forgets_a_caller_whose_limits_are_whole_again(
    redis: RedisClient, owners: Owners, gateway_account: NewAccount
) -> None:
    account = gateway_account(Limits(calls=Rate(0.01, 300)))
    await account.take_call()
    assert 50_000 < await redis.execute("PTTL", keys.rates_of(owners.caller)) <= 101_001

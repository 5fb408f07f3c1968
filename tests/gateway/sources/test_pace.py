"""The pace that a request body has to keep."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from contracts.errors import Overloaded
from services.gateway.settings import GatewaySettings
from services.gateway.sources.uploads.pace import Pace
from tests.attempts import attempts


def pace(*, rate: int = 1000, patience: float = 0.2, timeout: float = 60) -> Pace:
    return Pace(GatewaySettings(body_rate=rate, body_patience=patience, body_timeout=timeout))


def client(*pieces: tuple[float, int]) -> Receive:
    """Return the ASGI `receive` of a client that sends pieces: seconds before each, and bytes."""
    left = iter(pieces)

    async def receive() -> Message:
        seconds, size = next(left, (60, 0))
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    return receive


async def read(limits: Pace, pieces: Sequence[tuple[float, int]]) -> int:
    """Read the pieces of a body; return their number."""
    receive = client(*pieces)
    for _ in pieces:
        await limits.receive(receive)
    return len(pieces)


async def test_a_body_that_keeps_the_rate_may_take_several_periods() -> None:
    for attempt in attempts(HTTPException):
        with attempt:
            assert await read(pace(), [(0.08, 200)] * 6) == 6


async def test_a_body_that_sends_a_byte_now_and_then_is_too_slow() -> None:
    with pytest.raises(HTTPException) as caught:
        await read(pace(), [(0.05, 1)] * 20)

    assert caught.value.status_code == 408


async def test_a_fast_beginning_gives_no_credit_for_the_rest() -> None:
    with pytest.raises(HTTPException):
        await read(pace(), [(0, 1_000_000), *[(0.05, 1)] * 20])


async def test_a_whole_body_has_a_time_of_its_own() -> None:
    with pytest.raises(HTTPException):
        await read(pace(timeout=0.3), [(0.05, 1_000_000)] * 20)


async def test_only_the_wait_for_the_client_counts() -> None:
    for attempt in attempts(HTTPException):
        with attempt:
            limits, receive = pace(timeout=0.3), client(*[(0.01, 1)] * 6)
            for _ in range(6):
                await limits.receive(receive)
                await asyncio.sleep(0.06)  # the gateway is busy


async def test_a_slow_body_gives_way_at_once() -> None:
    limits = pace(patience=60)
    reading = asyncio.create_task(limits.receive(client()))
    await asyncio.sleep(1.05)
    assert limits.rate() == 0

    limits.give_way()

    assert limits.rate() is None
    with pytest.raises(Overloaded, match="slowest"):
        await asyncio.wait_for(reading, 20)

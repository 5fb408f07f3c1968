"""The room that answers under way share."""

import asyncio

import pytest

from contracts.errors import Overloaded
from services.gateway.http.image_response import AnswerRoom


async def test_an_answer_waits_for_room_and_is_refused_after_a_second() -> None:
    room = AnswerRoom(100)
    async with room.take(60):
        async with room.take(40):
            with pytest.raises(Overloaded) as refused:
                async with room.take(1):
                    pass
        waiting = asyncio.create_task(take(room, 41))
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 0.5)

    assert refused.value.retry_after == 2


async def test_an_answer_that_fails_or_is_cancelled_frees_its_room() -> None:
    room = AnswerRoom(100)
    with pytest.raises(ZeroDivisionError):
        async with room.take(100):
            raise ZeroDivisionError
    async with room.take(100):
        waiting = asyncio.create_task(take(room, 100))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await take(room, 100)


async def test_an_answer_larger_than_the_limit_gets_all_of_the_room() -> None:
    await take(AnswerRoom(100), 1000)


async def take(room: AnswerRoom, size: int) -> None:
    async with room.take(size):
        pass

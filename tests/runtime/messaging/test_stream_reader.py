"""The reader of a stream that everybody reads notices what it has missed."""

import asyncio

import pytest

from services.runtime.messaging import stream_reader
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_reader import StreamReader
from services.runtime.redis.client import make_redis
from tests.processes import until
from tests.runtime.echo import settings_for

STREAM = "test.events"


@pytest.mark.parametrize("trimmed", [False, True])
async def test_a_reader_that_is_always_behind_notices_what_was_trimmed(
    redis_url: str, trimmed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reader, "POLL", 0.05)
    redis, gaps, read = make_redis(settings_for(redis_url)), list[int](), list[bytes]()
    slow, go_on = asyncio.Event(), asyncio.Event()

    async def deliver(received: Received) -> None:
        assert isinstance(received.data, dict)
        read.append(received.data[b"n"])
        if not slow.is_set():
            slow.set()
            await go_on.wait()

    async def add(numbers: range) -> None:
        await redis.pipeline(("XADD", STREAM, "*", "n", number) for number in numbers)

    await redis.execute("DEL", STREAM)
    await add(range(1))
    reader = StreamReader(STREAM, redis, on_gap=lambda: gaps.append(len(read)))
    await reader.start(deliver)
    assert gaps == [0], "readers that asked for the past before may miss later entries"
    await add(range(1, 401))
    await slow.wait()
    if trimmed:
        await redis.execute("XTRIM", STREAM, "MAXLEN", 150)
    go_on.set()
    await until(lambda: read[-1] == b"400")
    await reader.stop()
    await redis.close()
    assert bool(gaps[1:]) == trimmed
    assert (len(read) == 400) == (not trimmed)

"""The reader of a stream that everybody reads notices what it has missed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from services.runtime.messaging import stream_reader
from services.runtime.messaging.consumer import Received
from services.runtime.messaging.stream_reader import StreamReader
from services.runtime.redis.client import make_redis
from tests.processes import mortal_valkey, until
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


@pytest.mark.services
@pytest.mark.parametrize("after", ["nothing", "other entries"])
async def test_a_reader_notices_that_redis_is_back_without_its_data(
    tmp_path: Path, after: str
) -> None:
    with mortal_valkey(tmp_path) as server:
        async with _reading(server.url) as (read, gaps):
            # The clock of the server that will be lost is ahead.
            _add(server.url, 1, id="99999999999999-0")
            await until(lambda: read == [b"1"])
            server.kill()
            shutil.rmtree(tmp_path / "appendonlydir")
            server.start()
            if after == "other entries":
                _add(server.url, 2)
            await until(lambda: gaps == [0, 1])
            _add(server.url, 3)
            await until(lambda: read[-1] == b"3")


async def test_a_reader_notices_that_its_last_entry_is_gone_among_others(redis_url: str) -> None:
    """A replica that becomes the primary may lack the last entries, and has new ones soon."""
    with Redis.from_url(redis_url) as redis:
        redis.delete(STREAM)
        async with _reading(redis_url) as (read, gaps):
            for number in range(3):
                last = redis.xadd(STREAM, {"n": number})
            await until(lambda: read == [b"0", b"1", b"2"])
            redis.xdel(STREAM, last)
            redis.xadd(STREAM, {"n": 3})
            await until(lambda: len(read) == 4)
            assert gaps == [0]
            redis.xdel(STREAM, redis.xrevrange(STREAM, count=1)[0][0])
            with redis.pipeline() as together:
                together.client_kill_filter(_type="normal", skipme=True)
                together.xadd(STREAM, {"n": 4})
                together.execute()
            await until(lambda: gaps == [0, 4])
            await until(lambda: read[-1] == b"4")


@pytest.mark.services
async def test_a_reader_that_was_cut_off_goes_on_without_a_gap(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        async with _reading(server.url) as (read, gaps):
            _add(server.url, 1)
            await until(lambda: read == [b"1"])
            server.kill()
            server.start()
            _add(server.url, 2)
            await until(lambda: read == [b"1", b"2"])
            assert gaps == [0]


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[tuple[list[bytes], list[int]]]:
    """A reader; yields the numbers that it has read, and how many they were at each gap."""
    read, gaps = list[bytes](), list[int]()

    async def deliver(received: Received) -> None:
        assert isinstance(received.data, dict)
        read.append(received.data[b"n"])

    redis = make_redis(settings_for(url))
    reader = StreamReader(STREAM, redis, on_gap=lambda: gaps.append(len(read)))
    await reader.start(deliver)
    try:
        yield read, gaps
    finally:
        await reader.stop()
        await redis.close()


def _add(url: str, number: int, *, id: str = "*") -> None:
    with Redis.from_url(url) as redis:
        redis.xadd(STREAM, {"n": number}, id=id)

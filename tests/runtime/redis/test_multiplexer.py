"""The connection that commands share: each has its own answer, and nobody's end is silence."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.client import LOST, make_redis
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.scripts import Script
from services.runtime.redis.subscription import Subscription
from tests.processes import free_port, mortal_valkey
from tests.runtime.echo import settings_for


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    redis = make_redis(settings_for(redis_url))
    yield redis
    await redis.connection_pool.disconnect()


@pytest.fixture
async def wire(redis: Redis) -> AsyncIterator[Multiplexer]:
    wire = Multiplexer(redis)
    yield wire
    await wire.close()


async def test_each_of_a_thousand_has_its_own_answer(wire: Multiplexer) -> None:
    asked = [wire.post("ECHO", str(number)) for number in range(1000)]
    assert [await answer for answer in asked] == [b"%d" % number for number in range(1000)]


async def test_a_refused_command_is_its_own_callers_error(wire: Multiplexer) -> None:
    before, refused, after = wire.post("ECHO", "a"), wire.post("NONSENSE"), wire.post("ECHO", "b")
    assert [await before, await after] == [b"a", b"b"]
    with pytest.raises(ResponseError, match="unknown command"):
        await refused


async def test_an_answer_that_nobody_waits_for_any_more_shifts_no_other(wire: Multiplexer) -> None:
    await wire.execute("PING")
    asked = [wire.post("ECHO", str(number)) for number in range(10)]
    asked[4].cancel()
    assert [await answer for answer in asked if not answer.cancelled()][4] == b"5"


async def test_a_large_answer_comes_whole(wire: Multiplexer) -> None:
    whole = b"x" * 5_000_000
    assert await wire.execute("ECHO", whole) == whole


async def test_a_script_that_redis_has_forgotten_is_known_again(wire: Multiplexer) -> None:
    script = Script("return ARGV[1]")
    await wire.execute("SCRIPT", "FLUSH")
    assert await wire.run(script, [], ["there"]) == b"there"
    assert await wire.execute(*script.call([], ["still"])) == b"still"


async def test_what_is_under_way_fails_with_its_connection_and_the_next_has_a_new_one(
    wire: Multiplexer, redis: Redis
) -> None:
    number = await wire.execute("CLIENT", "ID")
    waiting, behind = wire.post("BLPOP", "nothing", 0), wire.post("PING")
    await asyncio.sleep(0.05)
    await redis.execute_command("CLIENT", "KILL", "ID", number)  # type: ignore[no-untyped-call]
    for answer in (waiting, behind):
        with pytest.raises(RedisConnectionError):
            await asyncio.wait_for(answer, 1)
    assert await wire.execute("CLIENT", "ID") != number


async def test_what_is_asked_again_for_a_lost_connection_is_waited_for(
    wire: Multiplexer, redis: Redis
) -> None:
    number = await wire.execute("CLIENT", "ID")
    again: list[asyncio.Future[Any]] = []
    lost = wire.post("BLPOP", "nothing", 0)
    lost.add_done_callback(lambda _: again.append(wire.post("ECHO", "again")))
    draining = asyncio.create_task(wire.drain())
    await asyncio.sleep(0.05)
    await redis.execute_command("CLIENT", "KILL", "ID", number)  # type: ignore[no-untyped-call]
    await asyncio.wait_for(draining, 1)
    assert again[0].result() == b"again"


async def test_what_is_never_answered_is_waited_for_so_long_and_is_not_asked_again(
    wire: Multiplexer,
) -> None:
    lost = wire.post("BLPOP", "nothing", 0)
    await asyncio.wait_for(wire.drain(seconds=0.1), 1)
    assert not lost.done()
    await wire.close()
    reason = lost.exception()
    assert isinstance(reason, RedisError)
    assert not isinstance(reason, LOST), "which would have it sent once more"


async def test_a_redis_that_hangs_is_given_up(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        redis = make_redis(settings_for(server.url))
        redis.connection_pool.connection_kwargs["socket_timeout"] = 0.5
        wire = Multiplexer(redis)
        assert await wire.execute("PING") == b"PONG"
        await asyncio.sleep(0.3)
        server.pause()
        began = asyncio.get_running_loop().time()
        with pytest.raises(RedisTimeoutError):
            await wire.execute("PING")
        assert 0.4 < asyncio.get_running_loop().time() - began < 0.9
        server.resume()
        assert await wire.execute("PING") == b"PONG"
        await wire.close()
        await redis.connection_pool.disconnect()


async def test_everybody_is_told_that_redis_is_away(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path, running=False) as server:
        redis = make_redis(settings_for(server.url))
        wire = Multiplexer(redis)
        outcomes = await asyncio.gather(
            *(wire.execute("PING") for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(outcome, RedisError) for outcome in outcomes)
        server.start()
        assert await wire.execute("PING") == b"PONG"
        await wire.close()
        await redis.connection_pool.disconnect()


async def test_what_is_no_answer_ends_the_connection() -> None:
    port = free_port()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            # As a Redis, until it is asked for something.
            writer.write(b"?!\r\n" if line.startswith(b"PING") else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", port):
        redis = make_redis(settings_for(f"redis://127.0.0.1:{port}?protocol=2"))
        wire = Multiplexer(redis)
        with pytest.raises(RedisError):
            await asyncio.wait_for(wire.execute("PING"), 2)
        await wire.close()
        await redis.connection_pool.disconnect()


async def test_an_ear_hears_everything_until_it_leaves(redis: Redis) -> None:
    heard: list[tuple[str, bytes]] = []
    ear = Subscription(redis, "one", "two", heard=lambda *said: heard.append(said))
    await ear.listen()
    await redis.publish("one", "first")
    await redis.publish("two", "second")
    ear.leave()
    await asyncio.wait_for(ear.end(), 1)
    await redis.publish("one", "too late")
    await asyncio.sleep(0.05)
    assert heard == [("one", b"first"), ("two", b"second")]
    await ear.aclose()


async def test_an_ear_whose_connection_is_lost_says_so_and_hears_again(redis: Redis) -> None:
    heard: list[Any] = []
    ear = Subscription(redis, pattern="any.*", heard=lambda *said: heard.append(said))
    await ear.listen()
    await redis.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")  # type: ignore[no-untyped-call]
    with pytest.raises(RedisConnectionError):
        await asyncio.wait_for(ear.end(), 1)
    await ear.listen()
    await redis.publish("any.thing", "again")
    await asyncio.sleep(0.05)
    assert heard == [("any.thing", b"again")]
    await ear.aclose()

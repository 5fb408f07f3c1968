"""A multiplexer without its connection: lost, hanging, refused, closed; every caller is told."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Endpoint, endpoint_of
from services.runtime.redis.multiplexer import Multiplexer
from services.runtime.redis.replies import LOST
from tests.attempts import attempts
from tests.processes import load_of_a_core, mortal_valkey, until


async def test_open_commands_fail_with_their_connection_and_the_next_opens_a_new_one(
    connection: Multiplexer, redis: RedisClient
) -> None:
    number = await connection.execute("CLIENT", "ID")
    sent, behind = connection.send("BLPOP", "nothing", 0), connection.send("PING")
    await redis.execute("CLIENT", "KILL", "ID", number)
    for reply in (sent, behind):
        with pytest.raises(RedisConnectionError):
            await asyncio.wait_for(reply, 20)
    assert await connection.execute("CLIENT", "ID") != number


async def test_drain_waits_for_commands_that_are_repeated_after_a_lost_connection(
    connection: Multiplexer, redis: RedisClient
) -> None:
    number = await connection.execute("CLIENT", "ID")
    again: list[asyncio.Future[Any]] = []
    lost = connection.send("BLPOP", "nothing", 0)
    lost.add_done_callback(lambda _: again.append(connection.send("ECHO", "again")))
    draining = asyncio.create_task(connection.drain())
    await redis.execute("CLIENT", "KILL", "ID", number)
    await asyncio.wait_for(draining, 20)
    assert again[0].result() == b"again"


async def test_drain_ends_in_time_and_close_fails_the_rest_for_good(
    connection: Multiplexer,
) -> None:
    unanswered = connection.send("BLPOP", "nothing", 0)
    await asyncio.wait_for(connection.drain(seconds=0.1), 20)
    assert not unanswered.done()
    await connection.close()
    reason = unanswered.exception()
    assert isinstance(reason, RedisError)
    assert not isinstance(reason, LOST), "which callers repeat"


@pytest.mark.serial
async def test_a_redis_that_hangs_loses_its_connection_in_time(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        connection = Multiplexer(endpoint_of(server.url, reply_timeout=0.5))
        # A server without a processor for the limit is one that hangs, whenever that is.
        for attempt in attempts(RedisError):
            with attempt:
                assert await connection.execute("PING") == b"PONG"
                await asyncio.sleep(0.3)  # time is the subject: the limit counts from sending
                server.pause()
                began = time.monotonic()
                try:
                    with pytest.raises(RedisTimeoutError):
                        await connection.execute("PING")
                    took = time.monotonic() - began
                finally:
                    server.resume()
                assert 0.4 < took < 0.9
                assert await connection.execute("PING") == b"PONG"
        await connection.close()


@pytest.mark.serial
async def test_a_queue_that_takes_longer_than_the_limit_keeps_its_connection(
    redis_url: str,
) -> None:
    limit = load_of_a_core()  # seconds: a server with other work gets a part of a processor
    connection = Multiplexer(endpoint_of(redis_url, reply_timeout=limit))
    # Half a millisecond of the server's CPU time: the last command waits longer than the limit, and
    # each batch of 500 is answered within a quarter of it.
    commands = round(3000 * limit)
    work = "local ends = os.clock() + 0.0005 while os.clock() < ends do end return 1"
    # A server without a processor for the whole limit is one that hangs.
    for attempt in attempts(RedisError):
        with attempt:
            number = await connection.execute("CLIENT", "ID")
            began = time.monotonic()
            replies = [connection.send("EVAL", work, 0) for _ in range(commands)]
            assert await asyncio.gather(*replies) == [1] * commands
            assert time.monotonic() - began > limit
            assert await connection.execute("CLIENT", "ID") == number
    await connection.close()


async def test_every_caller_learns_that_redis_is_away(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path, running=False) as server:
        connection = Multiplexer(endpoint_of(server.url))
        outcomes = await asyncio.gather(
            *(connection.execute("PING") for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(outcome, RedisConnectionError) for outcome in outcomes)
        server.start()
        assert await connection.execute("PING") == b"PONG"
        await connection.close()


async def test_a_reply_that_is_not_resp_ends_the_connection() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            # As a Redis, until a PING comes.
            if line.startswith((b"PING", b"HELLO")):
                writer.write(b"?!\r\n" if line.startswith(b"PING") else b"%0\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        connection = Multiplexer(endpoint_of(f"redis://127.0.0.1:{port}"))
        with pytest.raises(RedisConnectionError, match="not RESP 3"):
            await asyncio.wait_for(connection.execute("PING"), 20)
        await connection.close()


async def test_close_fails_every_open_command(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        connection = Multiplexer(endpoint_of(server.url))
        await connection.execute("PING")
        server.pause()
        replies = [connection.send("PING") for _ in range(30)]
        await connection.close()
        assert all(isinstance(reply.exception(), RedisError) for reply in replies)
        server.resume()


@pytest.mark.serial
async def test_a_large_value_on_a_slow_network_keeps_its_connection() -> None:
    size, closed = 16 << 20, asyncio.Event()

    async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"3\r\n")  # HELLO 3
        writer.write(b"%0\r\n")
        received = 0
        with suppress(ConnectionError):
            while received < size and (data := await reader.read(1 << 20)):
                received += len(data)
                # Time is the subject: all of it takes longer than the limit.
                await asyncio.sleep(0.05)
            writer.write(b"+OK\r\n")
            await reader.read()
        writer.transport.abort()
        closed.set()

    async with await asyncio.start_server(read_slowly, "127.0.0.1", limit=1 << 18) as server:
        port = server.sockets[0].getsockname()[1]
        for attempt in attempts(RedisError):
            closed.clear()
            connection = Multiplexer(endpoint_of(f"redis://127.0.0.1:{port}", reply_timeout=0.5))
            # Both ends are in this process: without a processor, no byte moves.
            with attempt:
                began = time.monotonic()
                assert await connection.execute("SET", "large", bytes(size)) == b"OK"
                assert time.monotonic() - began > 0.6
            await connection.close()
            await until(closed.is_set)


async def test_close_is_for_good_even_before_the_first_connection(endpoint: Endpoint) -> None:
    connection = Multiplexer(endpoint)
    reply = connection.send("PING")
    await connection.close()
    assert isinstance(reply.exception(), RedisError)
    with pytest.raises(RedisError, match="closed"):
        await asyncio.wait_for(connection.execute("PING"), 20)


async def test_drain_costs_nothing_while_cancelled_commands_are_open(
    connection: Multiplexer,
) -> None:
    connection.send("BLPOP", "nothing", 0).cancel()
    await asyncio.sleep(0)
    began = time.process_time()
    await connection.drain(seconds=0.3)
    assert time.process_time() - began < 0.1

"""One connection for many tasks: each gets its own reply, and no lost connection goes unnoticed."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Endpoint, endpoint_of
from services.runtime.redis.multiplexer import Multiplexer, QueueFull
from services.runtime.redis.replies import LOST
from services.runtime.redis.scripts import Script
from tests.processes import mortal_valkey


async def test_a_thousand_commands_get_their_own_replies(connection: Multiplexer) -> None:
    replies = [connection.send("ECHO", str(number)) for number in range(1000)]
    assert [await reply for reply in replies] == [b"%d" % number for number in range(1000)]


async def test_an_error_reply_is_raised_to_its_own_caller(connection: Multiplexer) -> None:
    before, refused, after = (
        connection.send("ECHO", "a"),
        connection.send("NONSENSE"),
        connection.send("ECHO", "b"),
    )
    assert [await before, await after] == [b"a", b"b"]
    with pytest.raises(ResponseError, match="unknown command"):
        await refused


async def test_a_cancelled_command_shifts_no_other_reply(connection: Multiplexer) -> None:
    await connection.execute("PING")
    replies = [connection.send("ECHO", str(number)) for number in range(10)]
    replies[4].cancel()
    assert [await reply for reply in replies if not reply.cancelled()][4] == b"5"


async def test_a_large_reply_arrives_as_a_whole(connection: Multiplexer) -> None:
    whole = b"x" * 5_000_000
    assert await connection.execute("ECHO", whole) == whole


async def test_a_pipeline_returns_replies_in_order(connection: Multiplexer) -> None:
    assert await connection.pipeline([("ECHO", "1"), ("ECHO", "2")]) == [b"1", b"2"]
    assert await connection.pipeline([]) == []


async def test_a_pipeline_raises_its_first_error_after_all_have_run(
    connection: Multiplexer,
) -> None:
    with pytest.raises(ResponseError, match="unknown command"):
        await connection.pipeline([("SET", "p", 1), ("NONSENSE",), ("SET", "p", 2)])
    assert await connection.execute("GET", "p") == b"2"


async def test_a_transaction_runs_as_a_whole_or_not_at_all(connection: Multiplexer) -> None:
    assert await connection.transaction([("SET", "t", 1), ("INCR", "t")]) == [b"OK", 2]
    with pytest.raises(ResponseError):
        await connection.transaction([("SET", "t", 7), ("NONSENSE",)])
    assert await connection.execute("GET", "t") == b"2"
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await connection.transaction([("LPUSH", "t", 1)])


async def test_a_script_that_redis_has_forgotten_is_sent_in_full(connection: Multiplexer) -> None:
    script = Script("return ARGV[1]")
    await connection.execute("SCRIPT", "FLUSH")
    assert await connection.script(script, [], ["there"]) == b"there"
    assert await connection.execute(*script.call([], ["still"])) == b"still"


async def test_open_commands_fail_with_their_connection_and_the_next_opens_a_new_one(
    connection: Multiplexer, redis: RedisClient
) -> None:
    number = await connection.execute("CLIENT", "ID")
    sent, behind = connection.send("BLPOP", "nothing", 0), connection.send("PING")
    await redis.execute("CLIENT", "KILL", "ID", number)
    for reply in (sent, behind):
        with pytest.raises(RedisConnectionError):
            await asyncio.wait_for(reply, 1)
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
    await asyncio.wait_for(draining, 1)
    assert again[0].result() == b"again"


async def test_drain_ends_in_time_and_close_fails_the_rest_for_good(
    connection: Multiplexer,
) -> None:
    unanswered = connection.send("BLPOP", "nothing", 0)
    await asyncio.wait_for(connection.drain(seconds=0.1), 1)
    assert not unanswered.done()
    await connection.close()
    reason = unanswered.exception()
    assert isinstance(reason, RedisError)
    assert not isinstance(reason, LOST), "which callers repeat"


@pytest.mark.serial
async def test_a_redis_that_hangs_loses_its_connection_in_time(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        connection = Multiplexer(endpoint_of(server.url, reply_timeout=0.5))
        assert await connection.execute("PING") == b"PONG"
        await asyncio.sleep(0.3)  # time is the subject: the limit counts from sending
        server.pause()
        began = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            await connection.execute("PING")
        assert 0.4 < time.monotonic() - began < 0.9
        server.resume()
        assert await connection.execute("PING") == b"PONG"
        await connection.close()


@pytest.mark.serial
async def test_a_queue_that_takes_longer_than_the_limit_keeps_its_connection(
    redis_url: str,
) -> None:
    connection = Multiplexer(endpoint_of(redis_url, reply_timeout=1.0))
    number = await connection.execute("CLIENT", "ID")
    count, loops = "for i = 1, ARGV[1] do end return 1", 2_000_000
    began = time.monotonic()
    await connection.execute("EVAL", count, 0, loops)
    loops = int(loops * 0.0005 / (time.monotonic() - began))
    # 4,000 times half a millisecond: the last command waits longer than the limit, and each batch
    # of 500 is answered within a quarter of it.
    began = time.monotonic()
    replies = [connection.send("EVAL", count, 0, loops) for _ in range(4000)]
    assert await asyncio.gather(*replies) == [1] * 4000
    assert time.monotonic() - began > 1.0
    assert await connection.execute("CLIENT", "ID") == number
    await connection.close()


async def test_the_queue_is_bounded_by_number_and_by_bytes(endpoint: Endpoint) -> None:
    few = Multiplexer(endpoint, max_commands=3)
    replies = [few.send("ECHO", str(number)) for number in range(3)]
    with pytest.raises(QueueFull, match="3 commands wait"):
        few.send("ECHO", "too much")
    assert await asyncio.gather(*replies) == [b"0", b"1", b"2"]
    assert await few.execute("ECHO", "again") == b"again"
    await few.close()
    small = Multiplexer(endpoint, max_bytes=1000)
    alone = small.send("ECHO", b"x" * 2000)
    with pytest.raises(QueueFull):
        small.send("ECHO", "too much")
    assert len(await alone) == 2000
    await small.close()


async def test_a_full_queue_reaches_the_callback_of_a_script(endpoint: Endpoint) -> None:
    full = Multiplexer(endpoint, max_commands=1)
    outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    first = full.send("PING")
    full.script_soon(Script("return 1"), [], [], outcome.set_result)
    assert isinstance(await asyncio.wait_for(outcome, 1), QueueFull)
    await first
    await full.close()


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
            await asyncio.wait_for(connection.execute("PING"), 2)
        await connection.close()


async def test_pushes_are_no_replies(connection: Multiplexer, redis: RedisClient) -> None:
    await connection.execute("CLIENT", "TRACKING", "ON")
    await connection.execute("GET", "tracked")
    await redis.execute("SET", "tracked", "changed")
    assert await connection.execute("ECHO", "mine") == b"mine"


async def test_a_command_that_cannot_be_encoded_is_its_own_callers_error(
    connection: Multiplexer,
) -> None:
    sound = [connection.send("PING") for _ in range(20)]
    with pytest.raises(TypeError):
        connection.send("PUBLISH", {"no": "text"}, b"")
    assert await asyncio.gather(*sound) == [b"PONG"] * 20


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
        while received < size:
            received += len(await reader.read(1 << 20))
            await asyncio.sleep(0.05)  # time is the subject: all of it takes longer than the limit
        writer.write(b"+OK\r\n")
        await reader.read()
        writer.transport.abort()
        closed.set()

    async with await asyncio.start_server(read_slowly, "127.0.0.1", limit=1 << 18) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Multiplexer(endpoint_of(f"redis://127.0.0.1:{port}", reply_timeout=0.5))
        began = time.monotonic()
        assert await connection.execute("SET", "large", bytes(size)) == b"OK"
        assert time.monotonic() - began > 0.6
        await connection.close()
        await asyncio.wait_for(closed.wait(), 1)


async def test_a_transaction_that_does_not_fit_leaves_nothing_behind(endpoint: Endpoint) -> None:
    full = Multiplexer(endpoint, max_commands=3)
    first = full.send("ECHO", "first")
    with pytest.raises(QueueFull):
        await full.transaction([("SET", "half", 1), ("SET", "half", 2)])
    with pytest.raises(TypeError):
        await full.transaction([("SET", "half", {"no": "text"})])
    with pytest.raises(QueueFull):
        await full.pipeline([("INCR", "half")] * 3)
    assert await first == b"first"
    assert await full.execute("ECHO", "mine") == b"mine"
    assert await full.execute("EXISTS", "half") == 0
    await full.close()


async def test_a_pipeline_is_sent_as_one(connection: Multiplexer, redis: RedisClient) -> None:
    number = await connection.execute("CLIENT", "ID")
    before = await redis.execute("INFO", "stats")
    await connection.pipeline([("ECHO", str(number)) for _ in range(300)])
    after = await redis.execute("INFO", "stats")

    def reads(info: Any) -> int:
        text = info.decode() if isinstance(info, bytes) else str(info)
        [line] = [x for x in text.splitlines() if x.startswith("total_reads_processed:")]
        return int(line.partition(":")[2])

    assert reads(after) - reads(before) <= 3, "one or two for the pipeline, one for INFO"


async def test_close_is_for_good_even_before_the_first_connection(endpoint: Endpoint) -> None:
    connection = Multiplexer(endpoint)
    reply = connection.send("PING")
    await connection.close()
    assert isinstance(reply.exception(), RedisError)
    with pytest.raises(RedisError, match="closed"):
        await asyncio.wait_for(connection.execute("PING"), 1)


async def test_drain_costs_nothing_while_cancelled_commands_are_open(
    connection: Multiplexer,
) -> None:
    connection.send("BLPOP", "nothing", 0).cancel()
    await asyncio.sleep(0)
    began = time.process_time()
    await connection.drain(seconds=0.3)
    assert time.process_time() - began < 0.1

"""One connection for many tasks: each gets its own reply, and no lost connection goes unnoticed."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Endpoint
from services.runtime.redis.multiplexer import Multiplexer, QueueFull
from services.runtime.redis.scripts import Script


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


async def test_a_function_that_cannot_take_its_reply_ends_no_other_command(
    connection: Multiplexer,
) -> None:
    def take(reply: bytes) -> None:
        raise ValueError(reply)

    number = await connection.execute("CLIENT", "ID")
    with capture_logs() as logs:
        connection.send_soon(take, "ECHO", "a")
        assert await connection.execute("ECHO", "b") == b"b"
    assert await connection.execute("CLIENT", "ID") == number
    assert [entry["event"] for entry in logs] == ["a reply could not be taken"]


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
    assert isinstance(await asyncio.wait_for(outcome, 20), QueueFull)
    await first
    await full.close()


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
    before = await reads_of(redis)
    await connection.pipeline([("ECHO", str(number)) for number in range(300)])
    assert await reads_of(redis) - before <= 3, "one or two for the pipeline, one for INFO"


async def test_no_command_waits_for_the_reply_to_another_one_of_its_turn(
    connection: Multiplexer,
) -> None:
    """The first one blocks: the others are sent, and answered after it by one packet."""
    await connection.execute("PING")
    blocked = connection.send("BLPOP", "nothing", 0.2)
    other = connection.send("ECHO", "sent")
    await asyncio.sleep(0)
    assert not connection._unsent
    assert (await blocked, await other) == (None, b"sent")


async def test_a_command_that_another_one_follows_leaves_with_that_one(
    connection: Multiplexer, redis: RedisClient
) -> None:
    await connection.execute("PING")
    before, taken = await reads_of(redis), list[bytes]()
    connection.send_soon(taken.append, "ECHO", "a", more=True)
    assert await connection.execute("ECHO", "b") == b"b"
    assert await reads_of(redis) - before == 2, "one for both commands, one for INFO"
    connection.send_soon(taken.append, "ECHO", "c", more=True)
    await connection.drain()
    assert taken == [b"a", b"c"], "the second one has left although no command followed"


async def reads_of(redis: RedisClient) -> int:
    """Return how often the server has read from a connection."""
    info = await redis.execute("INFO", "stats")
    text = info.decode() if isinstance(info, bytes) else str(info)
    [line] = [x for x in text.splitlines() if x.startswith("total_reads_processed:")]
    return int(line.partition(":")[2])

"""Images on their way to clients: the room that they share, and answers that fail."""

import asyncio
import os
from collections.abc import Iterator
from http.client import IncompleteRead

import httpx
import pytest
from redis import Redis

from contracts.errors import Overloaded
from contracts.imaging import Inspected
from services.gateway.http.image_response import AnswerRoom
from services.runtime.redis import keys
from services.runtime.storage import parts
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind
from tests.gateway.raw import connected, read_response
from tests.processes import Service, wait_until

KEY = "d" * 64
SEEN = Inspected(format="png", media_type="image/png", mode="RGB", width=1, height=1)


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
    await asyncio.wait_for(waiting, 20)

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


@pytest.fixture
def damaged(workerless_redis: str) -> Iterator[bytes]:
    """An image of four parts whose third one is lost; the bytes of the first two."""
    data, name = os.urandom(2 * PART), keys.blob(Kind.IMAGE, KEY)
    with Redis.from_url(workerless_redis) as redis:
        about = {"media_type": "image/png", "bytes": 4 * PART, "note": SEEN.model_dump_json()}
        pieces = {parts.field(number): data[number * PART :][:PART] for number in range(2)}
        redis.hset(name, mapping={**about, **pieces, parts.field(3): bytes(PART)})
        yield data
        redis.unlink(name)


def test_an_answer_that_fails_in_its_middle_is_incomplete(
    workerless: Service, damaged: bytes
) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(f"GET /v1/images/{KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with pytest.raises(IncompleteRead) as caught:
            read_response(sock)

    assert caught.value.partial == damaged
    assert caught.value.expected == 2 * PART
    wait_until(lambda: "answer broken off" in workerless.output())
    assert "Traceback" not in workerless.output()


def test_a_connection_is_not_used_again_after_an_answer_that_failed(
    workerless: Service, damaged: bytes
) -> None:
    request = f"GET /v1/images/{KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with connected(workerless.url) as sock:
        sock.sendall(2 * request)
        came = b""
        while data := sock.recv(65_536):
            came += data

    assert came.count(b"HTTP/1.1") == 1
    assert came.endswith(damaged)


def test_an_answer_that_fails_before_its_first_byte_is_a_problem(
    no_workers: httpx.Client, damaged: bytes
) -> None:
    answer = no_workers.get(f"/v1/images/{KEY}", headers={"Range": f"bytes={2 * PART}-"})

    assert answer.status_code == 410


def test_a_range_needs_nothing_but_its_part(workerless: Service, damaged: bytes) -> None:
    with connected(workerless.url) as sock:
        for start, stop in ((0, 10), (PART - 5, PART + 5), (PART, 2 * PART)):
            sock.sendall(
                f"GET /v1/images/{KEY} HTTP/1.1\r\nHost: localhost\r\n"
                f"Range: bytes={start}-{stop - 1}\r\n\r\n".encode()
            )
            answer = read_response(sock)
            assert (answer.status_code, answer.content) == (206, damaged[start:stop])

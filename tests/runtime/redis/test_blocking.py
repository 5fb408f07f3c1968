"""The connection that a pool process keeps."""

import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from contracts.imaging import Blob
from services.runtime.redis import blocking as runtime_held
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import make_held
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import BlockingBlobs, Filled, StoredBlob
from tests.processes import mortal_valkey, valkey

KEY, NONE = "a" * 64, "b" * 64
IMAGE, RENDITION = f"darkroom:image:{KEY}", f"darkroom:rendition:{KEY}"


@pytest.fixture
def held(redis_url: str) -> Iterator[BlockingConnection]:
    held = make_held(RuntimeSettings(redis_url=redis_url))
    held.ask([("UNLINK", IMAGE, RENDITION)])
    yield held
    held.close()


def test_blobs_are_kept_and_found_over_it(held: BlockingConnection) -> None:
    blobs, data = BlockingBlobs(held), bytes(range(256)) * 4096
    blob = Blob(key=KEY, media_type="image/png", bytes=len(data))
    held.ask([("HSET", IMAGE, "data", data)])
    assert blobs.look([KEY], [NONE], ttl=10) == ([None], [None])
    blobs.keep([Filled(blob, data)], ttl=10)
    assert blobs.look([NONE, KEY], [KEY, NONE], ttl=20) == ([None, StoredBlob(blob)], [data, None])
    [left, kept] = held.ask([("TTL", RENDITION), ("HGET", RENDITION, "data")])
    assert 10 < left <= 20
    assert kept == data
    blobs.forget_image(KEY)
    assert blobs.image(KEY) is None


def test_what_redis_refuses_is_raised_and_the_next_answer_is_the_next(
    held: BlockingConnection,
) -> None:
    blobs = BlockingBlobs(held)
    held.ask([("SET", RENDITION, "no hash")])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.look([KEY], [], ttl=10)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.keep([Filled(Blob(key=KEY, media_type="image/png", bytes=1), b"1")], ttl=10)
    assert held.ask([("ECHO", "still here")]) == [b"still here"]


def test_it_comes_back_after_redis_does() -> None:
    with valkey() as server:
        settings = RuntimeSettings(redis_url=str(server.connection_url))
        held, killer = make_held(settings), make_held(settings)
        held.ask([("ECHO", "there")])
        killer.ask([("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")])
        assert held.ask([("ECHO", "back")]) == [b"back"]
        killer.close()
    with pytest.raises(RedisConnectionError):
        held.ask([("ECHO", "gone")])
    held.close()


def test_a_connection_that_the_kernel_gave_up_is_made_anew(
    held: BlockingConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, gone = runtime_held._exchanged, [OSError(errno.ETIMEDOUT, "timed out")]

    def exchanged(*args: Any) -> list[Any]:
        if gone:
            raise gone.pop()
        return exchange(*args)

    monkeypatch.setattr(runtime_held, "_exchanged", exchanged)
    assert held.ask([("ECHO", "back")]) == [b"back"]


def test_a_redis_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        held = make_held(RuntimeSettings(redis_url=server.url))
        held.ask([("ECHO", "there")])
        server.pause()
        begun = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            held.ask([("ECHO", "hello")])
        assert 2 < time.monotonic() - begun < 5
        server.resume()
        assert held.ask([("ECHO", "again")]) == [b"again"]
        held.close()

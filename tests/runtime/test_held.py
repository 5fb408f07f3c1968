"""The connection that a pool process keeps."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from contracts.imaging import Blob
from services.runtime.blobs import BlockingBlobs, Filled, Kind, StoredBlob
from services.runtime.connection import make_held
from services.runtime.held import Held
from services.runtime.settings import RuntimeSettings
from tests.processes import mortal_valkey, valkey

KEY, NONE = "a" * 64, "b" * 64


@pytest.fixture
def held(redis_url: str) -> Iterator[Held]:
    held = make_held(RuntimeSettings(redis_url=redis_url))
    held.ask([("UNLINK", f"darkroom:image:{KEY}")])
    yield held
    held.close()


def test_blobs_are_kept_and_found_over_it(held: Held) -> None:
    blobs, data = BlockingBlobs(held, Kind.IMAGE), bytes(range(256)) * 4096
    blob = Blob(key=KEY, media_type="image/png", bytes=len(data))
    assert blobs.find([KEY], ttl=10) == [None]
    assert blobs.get([KEY]) == [None]
    blobs.put([Filled(blob, data)], ttl=10)
    assert blobs.find([NONE, KEY], ttl=20) == [None, StoredBlob(blob)]
    assert blobs.get([KEY, NONE]) == [data, None]
    [left] = held.ask([("TTL", f"darkroom:image:{KEY}")])
    assert 10 < left <= 20
    blobs.delete(KEY)
    assert blobs.get([KEY]) == [None]


def test_what_redis_refuses_is_raised_and_the_next_answer_is_the_next(held: Held) -> None:
    blobs = BlockingBlobs(held, Kind.IMAGE)
    held.ask([("SET", f"darkroom:image:{KEY}", "no hash")])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.find([KEY], ttl=10)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        blobs.put([Filled(Blob(key=KEY, media_type="image/png", bytes=1), b"1")], ttl=10)
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


def test_a_redis_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        held = make_held(RuntimeSettings(redis_url=server.url))
        held.ask([("ECHO", "there")])
        server.pause()
        begun = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            held.ask([("ECHO", "hello")])
        assert 4 < time.monotonic() - begun < 8
        server.resume()
        assert held.ask([("ECHO", "again")]) == [b"again"]
        held.close()

"""The connection that a pool process keeps."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from contracts.imaging import Blob
from services.runtime.blobs import BlockingBlobs, Kind
from services.runtime.held import Held
from tests.processes import valkey

KEY = "a" * 64


@pytest.fixture
def held(redis_url: str) -> Iterator[Any]:
    held: Any = Held.from_url(redis_url)
    held.unlink(f"darkroom:image:{KEY}")
    yield held
    held.close()


def test_blobs_are_kept_and_found_over_it(held: Any) -> None:
    blobs, data = BlockingBlobs(held, Kind.IMAGE), bytes(range(256)) * 4096
    assert blobs.find(KEY, ttl=10) is None
    assert blobs.get(KEY) is None
    put = blobs.put(data, "image/png", key=KEY, ttl=10)
    found = blobs.find(KEY, ttl=20)
    assert found is not None
    assert found.blob == put == Blob(key=KEY, media_type="image/png", bytes=len(data))
    assert blobs.get(KEY) == data
    assert 10 < held.execute_command("TTL", f"darkroom:image:{KEY}") <= 20
    blobs.delete(KEY)
    assert blobs.get(KEY) is None


def test_what_redis_refuses_is_raised_and_the_next_answer_is_the_next(held: Any) -> None:
    held.execute_command("SET", f"darkroom:image:{KEY}", "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        BlockingBlobs(held, Kind.IMAGE).find(KEY, ttl=10)
    assert held.execute_command("ECHO", "still here") == b"still here"


def test_it_comes_back_after_redis_does() -> None:
    with valkey() as server:
        held: Any = Held.from_url(str(server.connection_url))
        held.execute_command("CLIENT", "NO-EVICT", "off")
        killer: Any = Held.from_url(str(server.connection_url))
        killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert held.execute_command("ECHO", "back") == b"back"
        killer.close()
    with pytest.raises(RedisConnectionError):
        held.execute_command("ECHO", "gone")
    held.close()

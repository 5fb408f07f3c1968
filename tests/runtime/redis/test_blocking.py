"""The connection of a pool process."""

import errno
import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.runtime.redis import blocking
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.redis.client import make_blocking_redis
from services.runtime.redis.endpoint import endpoint_of
from services.runtime.settings import RuntimeSettings
from tests.processes import mortal_valkey, valkey


@pytest.fixture
def connection(redis_url: str) -> Iterator[BlockingConnection]:
    connection = make_blocking_redis(RuntimeSettings(redis_url=redis_url))
    yield connection
    connection.close()


def test_an_error_is_raised_and_shifts_no_other_reply(connection: BlockingConnection) -> None:
    connection.pipeline([("SET", "text", "no hash")])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        connection.pipeline([("HGET", "text", "field"), ("PING",)])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        connection.transaction([("HSET", "text", "field", "value")])
    assert connection.pipeline([("ECHO", "still here")]) == [b"still here"]


def test_pushes_are_no_replies(connection: BlockingConnection, redis_url: str) -> None:
    connection.pipeline([("CLIENT", "TRACKING", "ON"), ("GET", "tracked")])
    other = make_blocking_redis(RuntimeSettings(redis_url=redis_url))
    other.pipeline([("SET", "tracked", "changed")])
    other.close()
    assert connection.pipeline([("ECHO", "mine"), ("ECHO", "too")]) == [b"mine", b"too"]


def test_commands_are_sent_again_after_a_lost_connection() -> None:
    with valkey() as server:
        settings = RuntimeSettings(redis_url=str(server.connection_url))
        connection, killer = make_blocking_redis(settings), make_blocking_redis(settings)
        connection.pipeline([("ECHO", "there")])
        killer.pipeline([("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")])
        assert connection.pipeline([("ECHO", "back")]) == [b"back"]
        killer.close()
    with pytest.raises(RedisConnectionError):
        connection.pipeline([("ECHO", "gone")])
    connection.close()


def test_a_timeout_of_the_kernel_is_a_lost_connection(
    connection: BlockingConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.pipeline([("PING",)])
    replies, errors = blocking._replies, [OSError(errno.ETIMEDOUT, "timed out")]

    def failing_once(*args: Any) -> list[Any]:
        if errors:
            raise errors.pop()
        return replies(*args)

    monkeypatch.setattr(blocking, "_replies", failing_once)
    assert connection.pipeline([("ECHO", "back")]) == [b"back"]


@pytest.mark.slow
def test_a_redis_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    with mortal_valkey(tmp_path) as server:
        connection = make_blocking_redis(RuntimeSettings(redis_url=server.url))
        connection.pipeline([("ECHO", "there")])
        server.pause()
        began = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            connection.pipeline([("ECHO", "hello")])
        assert 2 < time.monotonic() - began < 5
        server.resume()
        assert connection.pipeline([("ECHO", "again")]) == [b"again"]
        connection.close()


def test_the_password_is_in_no_error_of_a_server_without_resp_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(
                        b"-ERR unknown command 'HELLO', with args: '3' 'AUTH' 's3cret'\r\n"
                    )

        thread = Thread(target=refuse)
        thread.start()
        connection = BlockingConnection(endpoint_of(f"redis://:s3cret@127.0.0.1:{port}"))
        with pytest.raises(RedisConnectionError, match="RESP 3") as caught:
            connection.pipeline([("PING",)])
        thread.join()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_push_in_two_pieces_is_no_reply() -> None:
    pieces = [b"%0\r\n", b"+one\r\n>2\r\n+invalidate\r\n", b"*0\r\n+two\r\n"]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            with client:
                for piece in pieces:
                    client.recv(1000)
                    client.sendall(piece)
                client.recv(1000)

        thread = Thread(target=answer)
        thread.start()
        connection = BlockingConnection(endpoint_of(f"redis://127.0.0.1:{server.getsockname()[1]}"))
        assert connection.pipeline([("PING",)]) == [b"one"]
        assert connection.pipeline([("PING",)]) == [b"two"]
        connection.close()
        thread.join()

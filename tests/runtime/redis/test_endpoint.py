"""URLs of Redis: what they say is used, secrets stay secret, and TLS is never weakened silently."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import trustme
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import endpoint_of
from tests.processes import valkey


def test_a_url_is_an_address_a_login_and_a_database() -> None:
    endpoint = endpoint_of("redis://me:s%20t@redis.example:6380/3?socket_timeout=0.001")
    assert (endpoint.host, endpoint.port, endpoint.database) == ("redis.example", 6380, 3)
    assert endpoint.handshake() == [("HELLO", 3, "AUTH", "me", "s t"), ("SELECT", 3)]
    assert endpoint.reply_timeout == 5.0, "which is not the URL's to say"
    assert str(endpoint) == "redis.example:6380"
    assert "s t" not in repr(endpoint)
    assert endpoint_of("redis://me@host").handshake() == [("HELLO", 3, "AUTH", "me", "")]
    assert str(endpoint_of("redis://[::1]:6380")) == "[::1]:6380"
    assert endpoint_of("redis://").handshake() == [("HELLO", 3)]
    assert str(endpoint_of("unix:///run/redis.sock")) == "/run/redis.sock"


async def test_options_of_redis_py_do_not_change_what_is_read(redis_url: str) -> None:
    redis = RedisClient(endpoint_of(f"{redis_url}?decode_responses=true&protocol=2"))
    await redis.execute("SET", "test", "x")
    assert await redis.execute("GET", "test") == b"x"
    await redis.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://redis", "is not redis://user"),
        ("redis://:pa/ss@redis.example", "is not redis://user"),
        ("redis://redis?ssl_cert_reqs=required", "needs rediss://"),
        ("rediss://redis?ssl_ciphers=none", "unknown options: ciphers"),
        ("rediss://redis?ssl_cert_reqs=maybe", "none, optional or required"),
    ],
)
def test_a_url_that_cannot_be_followed_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        endpoint_of(url)
    assert "pa" not in str(caught.value).replace("password", "")


async def test_login_and_database_are_used() -> None:
    with valkey() as server:
        port = server.port
        plain = RedisClient(endpoint_of(f"redis://127.0.0.1:{port}"))
        await plain.execute("CONFIG", "SET", "requirepass", "secret")
        await plain.close()
        good = RedisClient(endpoint_of(f"redis://:secret@127.0.0.1:{port}/2"))
        assert "db=2" in str(await good.execute("CLIENT", "INFO"))
        for url in (f"redis://:wrong@127.0.0.1:{port}", f"redis://127.0.0.1:{port}"):
            bad = RedisClient(endpoint_of(url))
            with pytest.raises(AuthenticationError):
                await bad.execute("PING")
            await bad.close()
        await good.execute("CONFIG", "SET", "requirepass", "")
        await good.close()


async def test_tls_is_used_and_verified(redis_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with _tls_in_front_of(redis_url, authority.issue_cert("localhost")) as port:
        trusted = f"rediss://localhost:{port}?ssl_ca_certs={tmp_path}/ca.pem"
        redis = RedisClient(endpoint_of(trusted))
        assert await redis.execute("ECHO", b"x" * 100_000) == b"x" * 100_000
        subscription = redis.subscribe("tls", on_message=lambda *_: None)
        await subscription.listen()
        assert await redis.execute("PUBLISH", "tls", "heard") == 1
        await subscription.aclose()
        await redis.close()

        unknown_authority = f"rediss://localhost:{port}"
        wrong_name = f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/ca.pem"
        for url in (unknown_authority, wrong_name):
            redis = RedisClient(endpoint_of(url))
            with pytest.raises(RedisConnectionError, match="certificate verify failed"):
                await redis.execute("PING")
            await redis.close()

        unverified = RedisClient(endpoint_of(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none"))
        assert await unverified.execute("PING") == b"PONG"
        await unverified.close()


@contextmanager
def _tls_in_front_of(redis_url: str, certificate: trustme.LeafCert) -> Iterator[int]:
    """Terminate TLS in front of a server that has none, as stunnel does; its port on localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    target, ready, stopping = endpoint_of(redis_url), Event(), asyncio.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(target.host, target.port)
        await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))

    async def run() -> None:
        # Not `async with`: from Python 3.12 on, its end waits for every connection.
        server = await asyncio.start_server(serve, "localhost", ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stopping.wait()
        server.close()

    def run_thread() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run())
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        # Aborted transports close in the loop's next turns.
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = Thread(target=run_thread)
    thread.start()
    try:
        assert ready.wait(20)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()

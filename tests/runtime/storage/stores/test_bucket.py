"""The store in a bucket: servers that are away, refuse, or can do less than others."""

import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.s3_servers import CREDENTIALS, S3Server
from contracts.errors import StoreFull, Unavailable
from services.runtime.storage.stores import bucket, bucket_clients
from services.runtime.storage.stores.store import CHUNK, Missing, Store
from services.runtime.storage.stores.urls import store_at
from services.runtime.store_address import parse_store

PATH = "default/kept/ab/cd/abcd0123"

Answer = Callable[[str, str], tuple[int, str]]
"""Status and body for a method and a path."""


def store_of(url: str, cache: Path) -> Store:
    store = store_at(parse_store(url), cache=cache, limit=1 << 20)
    assert store is not None
    return store


def calls(store: Store) -> list[Callable[[], object]]:
    """Every call to the server."""
    return [
        store.check,
        lambda: store.put(PATH, b"12345"),
        lambda: list(store.read(PATH)),
        lambda: store.open(PATH),
        lambda: store.size(PATH),
        lambda: store.delete([PATH]),
        lambda: store.delete([PATH, PATH]),
        lambda: list(store.list()),
    ]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server that answers each request as it is told, and the URL of a store on it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = answer(self.command, self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("last-modified", "Sat, 28 Nov 2026 12:00:00 GMT")
            self.send_header("etag", '"1"')
            if status == 206:
                self.send_header("content-range", f"bytes 0-{len(body) - 1}/{len(body)}")
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_DELETE = _answer

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"s3://photos?endpoint=http://127.0.0.1:{http.server_port}&region=us-east-1"
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.timeout(30)
def test_a_bucket_whose_server_is_away_is_unavailable_in_a_few_seconds(tmp_path: Path) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        store = store_of(f"s3://photos?endpoint=http://127.0.0.1:{port}", tmp_path / "cache")

        for call in calls(store)[:3]:
            with pytest.raises(Unavailable, match="does not answer") as caught:
                call()
            assert caught.value.retry_after


@pytest.mark.timeout(30)
def test_a_bucket_whose_server_hangs_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bucket_clients.READING, "read_timeout", "200ms")
    monkeypatch.setitem(bucket_clients.WRITING, "timeout", "200ms")
    monkeypatch.setitem(bucket_clients.RETRIES, "max_retries", 0)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        port = hanging.getsockname()[1]
        store = store_of(f"s3://photos?endpoint=http://127.0.0.1:{port}", tmp_path / "cache")

        for call in calls(store):
            with pytest.raises(Unavailable, match="does not answer"):
                call()


def test_refused_credentials_are_named_and_not_told(
    nanio_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-this-secret")
    store = store_of(nanio_server.store(), tmp_path / "cache")

    for call in calls(store):
        with pytest.raises(Unavailable, match="refuses the credentials") as caught:
            call()
        told = "".join(traceback.format_exception(caught.value))
        assert "not-this-secret" not in told
        assert CREDENTIALS["AWS_ACCESS_KEY_ID"] not in caught.value.detail


@pytest.mark.parametrize("kind", ["moto_server", "nanio_server"])
def test_a_missing_bucket_is_no_missing_object(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    s3: S3Server = request.getfixturevalue(kind)
    store = store_of(s3.store().replace("photos", "nothing"), tmp_path / "cache")

    for call in calls(store):
        with pytest.raises(Unavailable):
            call()


@pytest.mark.parametrize("kind", ["moto", "nanio"])
def test_a_large_file_is_sent_in_parts_and_removed_from_the_scratch_folder(
    kind: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(kind)
    content = os.urandom(bucket._SINGLE + 5)
    scratch = store.scratch / "body"
    scratch.write_bytes(content)

    store.put(PATH, scratch)

    assert not scratch.exists()
    assert store.size(PATH) == len(content)
    assert b"".join(store.read(PATH)) == content


@pytest.mark.parametrize("kind", ["moto", "nanio"])
def test_an_object_is_opened_as_it_is_after_it_was_replaced_or_forgotten(
    kind: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(kind)

    def opened() -> bytes:
        with os.fdopen(store.open(PATH), "rb") as file:
            return file.read()

    store.put(PATH, b"first")
    assert opened() == b"first"
    store.put(PATH, b"second")
    assert opened() == b"second"
    store.forget(PATH)
    assert opened() == b"second"
    store.delete([PATH])
    with pytest.raises(Missing):
        opened()


@pytest.mark.parametrize("kind", ["moto", "nanio"])
def test_a_slow_reader_and_a_quick_one_get_the_same_bytes(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Store = request.getfixturevalue(kind)
    content = os.urandom(8 * CHUNK + 3)
    store.put(PATH, content)
    quick = [len(piece) for piece in store.read(PATH)]
    monkeypatch.setattr(bucket, "_SLOW", -1.0)
    slow = list(store.read(PATH))

    assert sum(quick) == len(content)
    assert b"".join(slow) == content
    assert [len(piece) for piece in slow] == [CHUNK] * 8 + [3]
    assert b"".join(store.read(PATH, 5, 2 * CHUNK)) == content[5 : 2 * CHUNK]


def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    statuses = iter((503, 503, 206, 503, 200))

    with server(lambda method, path: (next(statuses), "12345")) as url:
        store = store_of(url, tmp_path / "cache")
        assert b"".join(store.read(PATH)) == b"12345"
        store.put(PATH, b"12345")


@pytest.mark.parametrize(
    ("status", "body"), [(507, ""), (403, "<Error><Code>QuotaExceeded</Code></Error>")]
)
def test_a_full_bucket_is_named(status: int, body: str, tmp_path: Path) -> None:
    with server(lambda method, path: (status, body)) as url:
        store = store_of(url, tmp_path / "cache")
        with pytest.raises(StoreFull):
            store.put(PATH, b"12345")


def test_a_server_that_deletes_only_one_object_at_a_time_is_asked_for_each(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def answer(method: str, path: str) -> tuple[int, str]:
        asked.append((method, path))
        return (
            (501, "<Error><Code>NotImplemented</Code></Error>") if method == "POST" else (204, "")
        )

    with server(answer) as url:
        store = store_of(url, tmp_path / "cache")
        store.delete(["a/1", "a/2"])
        store.delete(["a/3", "a/4"])

    deleted = [path for method, path in asked if method == "DELETE"]
    assert deleted == [f"/photos/a/{number}" for number in range(1, 5)]
    assert asked[-2][0] == "DELETE", "asked for many at once again"


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.urls import store_at
from services.runtime.store_address import parse_store
from services.runtime.telemetry.metrics import Metrics

async def main(url, cache, path):
    store = AsyncStore(store_at(parse_store(url), cache=Path(cache), limit=1 << 20), Metrics())
    await store.put(path, b"12345" * 100_000)
    async for _ in store.read(path):
        break

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
def test_processes_that_end_right_after_a_call_end_well(
    nanio_server: S3Server, tmp_path: Path
) -> None:
    arguments = (nanio_server.store("ends"), str(tmp_path / "cache"))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments, f"default/kept/{number}"],
            stderr=subprocess.PIPE,
        )
        for number in range(15)
    ]

    ends = [(process.communicate()[1], process.returncode) for process in started]

    assert ends == [(b"", 0)] * 15

"""The folder in which bodies are received: nothing stays there, however a body ends."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from contracts.errors import InvalidRequest, Overloaded, StoreFull, TooLarge
from contracts.imaging import Blob
from services.gateway.access.caller import EVERYBODY, set_caller
from services.gateway.settings import GatewaySettings
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.storage.records import StoredBlob
from services.runtime.storage.spool import Spool
from tests.processes import until

MIB = 1 << 20
FORM_TYPE = "multipart/form-data; boundary=b"
FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
END: Message = {"type": "http.request", "body": b"", "more_body": False}


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every body of more than 256 KiB go to a file."""
    monkeypatch.setattr("services.gateway.sources.uploads.upload._MEMORY", 0)


class Store:
    """Takes the place of `Images`; remembers each body that it was given."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.kept: list[bytes] = []
        self._failure = failure

    async def keep(self, spool: Spool, **_: object) -> StoredBlob:
        if self._failure:
            raise self._failure
        assert isinstance(spool.content, Path), "a large body is a file"
        self.kept.append(b"".join([piece async for piece in spool.pieces()]))
        blob = Blob(key=spool.digest, media_type="image/png", bytes=spool.size)
        return StoredBlob(blob)


def body(*pieces: bytes, end: Message | None = END) -> list[Message]:
    whole: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    return [*whole, end] if end else whole


async def upload(
    scratch: Path,
    messages: Sequence[Message],
    store: Store,
    *,
    media_type: str,
    pause: float = 0,
    in_time: bool = True,
) -> StoredBlob:
    """Have a reader store the body of a request whose client stops after `messages`.

    Unless it is `in_time`, it has 0.2 seconds for each piece, and 0.3 for all.
    """
    left = iter(messages)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        message = next(left, None)
        if message is None:
            await asyncio.sleep(60)
        assert message is not None
        return message

    patience, timeout = (20.0, 60.0) if in_time else (0.2, 0.3)
    settings = GatewaySettings(max_body=4 * MIB, body_patience=patience, body_timeout=timeout)
    reader = UploadReader(cast(Any, store), settings, scratch)
    headers = [(b"content-type", media_type.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers}
    set_caller(scope, EVERYBODY)
    return (await reader.store_image(Request(scope, receive), ttl=60)).stored


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize(
    ("before", "after", "media_type"),
    [(b"", b"", "image/png"), (FORM_HEAD, b"\r\n--b--\r\n", FORM_TYPE)],
    ids=["body", "form"],
)
class TestBodies:
    async def test_a_body_reaches_the_store_as_it_was_sent(
        self, tmp_path: Path, before: bytes, after: bytes, media_type: str
    ) -> None:
        data, store = bytes(range(256)) * 8192, Store()
        pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]

        await upload(tmp_path, body(before, *pieces, after), store, media_type=media_type)

        assert store.kept == [data]
        assert not files_in(tmp_path)

    @pytest.mark.parametrize(
        ("messages", "failure"),
        [
            (body(bytes(MIB), end={"type": "http.disconnect"}), ClientDisconnect),
            (body(bytes(MIB), end=None), HTTPException),
            (body(*[bytes(MIB)] * 5), TooLarge),
        ],
        ids=["disconnect", "stop", "too large"],
    )
    async def test_a_body_that_does_not_arrive_leaves_nothing(
        self,
        tmp_path: Path,
        before: bytes,
        after: bytes,
        media_type: str,
        messages: Sequence[Message],
        failure: type[Exception],
    ) -> None:
        whole = [*body(before, end=None), *messages]

        in_time = failure is not HTTPException
        with pytest.raises(failure):
            await upload(tmp_path, whole, Store(), media_type=media_type, in_time=in_time)
        assert not files_in(tmp_path)

    async def test_a_body_that_keeps_its_rate_has_a_time_for_the_whole(
        self, tmp_path: Path, before: bytes, after: bytes, media_type: str
    ) -> None:
        messages = body(before, *[bytes(100_000)] * 40, after)
        with pytest.raises(HTTPException) as late:
            await upload(
                tmp_path, messages, Store(), media_type=media_type, pause=0.02, in_time=False
            )

        assert late.value.status_code == 408
        assert not files_in(tmp_path)

    async def test_a_store_that_is_full_leaves_nothing(
        self, tmp_path: Path, before: bytes, after: bytes, media_type: str
    ) -> None:
        with pytest.raises(StoreFull):
            await upload(
                tmp_path,
                body(before, bytes(MIB), after),
                Store(StoreFull("full")),
                media_type=media_type,
            )

        assert not files_in(tmp_path)

    async def test_an_upload_that_is_cancelled_leaves_nothing(
        self, tmp_path: Path, before: bytes, after: bytes, media_type: str
    ) -> None:
        messages = body(before, bytes(MIB), end=None)
        task = asyncio.create_task(upload(tmp_path, messages, Store(), media_type=media_type))
        await until(lambda: len(files_in(tmp_path)) == 1)

        task.cancel()
        await asyncio.wait([task])

        assert not files_in(tmp_path)


async def test_a_form_that_turns_out_broken_leaves_nothing(tmp_path: Path) -> None:
    head = FORM_HEAD.removeprefix(b"--b\r\n")
    for end in (b"\r\n--b\r\nno header\r\n\r\n", b"\r\n--b\r\n" + head, b""):
        messages = body(FORM_HEAD, bytes(MIB), end)
        with pytest.raises(InvalidRequest):
            await upload(tmp_path, messages, Store(), media_type=FORM_TYPE)

        assert not files_in(tmp_path)


async def test_bodies_in_files_count_for_the_limit_of_all(tmp_path: Path) -> None:
    settings = GatewaySettings(max_bodies=5 * MIB)
    store = Store()
    reader = UploadReader(cast(Any, store), settings, tmp_path)
    goes_on, has_arrived = asyncio.Event(), asyncio.Event()

    async def send(size: int) -> StoredBlob:
        left = iter(body(*[bytes(MIB)] * size, end=None))

        async def receive() -> Message:
            if message := next(left, None):
                return message
            has_arrived.set()
            await goes_on.wait()
            return END

        scope: Scope = {"type": "http", "method": "POST", "headers": []}
        set_caller(scope, EVERYBODY)
        return (await reader.store_image(Request(scope, receive), ttl=60)).stored

    waiting = asyncio.create_task(send(3))
    await asyncio.wait_for(has_arrived.wait(), 20)
    assert len(files_in(tmp_path)) == 1
    with pytest.raises(Overloaded):
        await send(3)
    assert len(files_in(tmp_path)) == 1

    goes_on.set()
    await waiting
    await send(5)
    assert not files_in(tmp_path)

"""The library: what it tries again, what it does not, and where it doesn't follow."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from darkroom.client import Client
from darkroom.errors import GatewayError
from darkroom.idempotency import key_of
from darkroom.query import query_of
from tests.darkroom.command import names_in, take
from tests.processes import Service, faststream, mortal_valkey

GRAY = parse_pipeline(["grayscale"], "png")


def answering(*answers: httpx.Response, asked: list[float] | None = None) -> httpx.MockTransport:
    """A gateway that gives these answers, one after the other, and the last one for ever."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(time.monotonic())
        return left.pop(0) if len(left) > 1 else left[0]

    return httpx.MockTransport(answer)


def refusing(status: int, code: str, **headers: str) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "Not now."}
    return httpx.Response(status, json=document, headers=headers)


NOTHING_TO_DO = {"queued": 0, "running": 0, "later": 0, "age": 0, "rate": 0}
IDLE = {"workers": {}, "queues": {}, "jobs": NOTHING_TO_DO, "of_a_later_gateway": 1}


async def test_a_refusal_is_tried_again_not_before_it_said(tmp_path: Path) -> None:
    asked: list[float] = []
    busy = refusing(503, "overloaded", **{"Retry-After": "1"})
    gateway = answering(busy, httpx.Response(200, json=IDLE), asked=asked)
    async with Client("http://gateway", transport=gateway) as client:
        assert (await client.system()).workers == {}
    first, second = asked
    assert 1 <= second - first < 2


@pytest.mark.parametrize(
    ("status", "code", "requests"), [(502, "x", 3), (504, "x", 3), (422, "x", 1), (500, "x", 1)]
)
async def test_what_may_pass_is_tried_a_bounded_number_of_times(
    status: int, code: str, requests: int
) -> None:
    asked: list[float] = []
    gateway = answering(refusing(status, code), asked=asked)
    async with Client("http://gateway", tries=3, transport=gateway) as client:
        with pytest.raises(GatewayError) as refused:
            await client.system()
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.detail == "Not now."
    assert len(asked) == requests


async def test_an_answer_that_is_no_gateways_is_an_error_with_a_name() -> None:
    for answer, code in [
        (httpx.Response(404, text="<html>"), "http_404"),
        (httpx.Response(200, text="<html>"), "not_understood"),
    ]:
        async with Client("http://gateway", transport=answering(answer)) as client:
            with pytest.raises(GatewayError) as refused:
                await client.system()
        assert refused.value.code == code


async def test_a_gateway_that_is_not_there_is_unreachable() -> None:
    async with Client("http://127.0.0.1:9", tries=2) as client:
        with pytest.raises(GatewayError) as refused:
            await client.jobs()
    assert (refused.value.code, refused.value.status) == ("unreachable", None)


async def test_a_photograph_waits_for_a_redis_that_is_away(tmp_path: Path) -> None:
    photo = take(tmp_path / "a.jpg", seed=1)
    with mortal_valkey(tmp_path) as mortal, faststream("gateway", mortal.url) as gateway:
        mortal.kill()
        async with Client(gateway.url) as client:
            submitted = asyncio.create_task(client.submit(photo, GRAY, key="a"))
            await asyncio.sleep(0.5)  # refusals meanwhile
            await asyncio.to_thread(mortal.start)
            job = (await submitted).job
            assert (await client.job(job.id)).state == "queued"


async def test_a_job_that_does_not_end_is_not_waited_for_any_longer(
    idle: Service, tmp_path: Path
) -> None:
    photo = take(tmp_path / "a.jpg", seed=1)
    async with Client(idle.url) as client:
        job = (await client.submit(photo, GRAY, key="waits")).job
        with pytest.raises(GatewayError) as late:
            await client.wait(job.id, patience=0.2)
        assert (await client.cancel(job.id)).state == "cancelled"
    assert late.value.code == "late"


async def test_a_result_elsewhere_is_not_fetched(gateway_url: str, tmp_path: Path) -> None:
    photo = take(tmp_path / "a.jpg", seed=2)
    async with Client(gateway_url) as client:
        job = (await client.submit(photo, GRAY, key="elsewhere", wait=10)).job
    moved = httpx.Response(
        302, text=job.model_dump_json(), headers={"Location": "http://elsewhere/v1/result"}
    )
    async with Client("http://gateway", transport=answering(moved)) as client:
        with pytest.raises(GatewayError) as refused:
            await client.wait(job.id)
    assert refused.value.code == "not_understood"


@asynccontextmanager
async def cutting_off(body: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that breaks off in the middle of its first answer."""
    answers: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answers.append(len(body) if answers else len(body) // 2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body[: answers[-1]])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", answers


async def test_a_result_that_breaks_off_is_fetched_again_and_never_half_there(
    tmp_path: Path,
) -> None:
    target = tmp_path / "result.bin"
    body = bytes(range(256)) * 4000
    async with cutting_off(body) as (url, answers):
        async with Client(url, tries=1) as client:
            with pytest.raises(GatewayError):
                await client.fetch(httpx.URL(f"{url}/"), target)
            assert names_in(tmp_path) == []
            answers.clear()
        async with Client(url, tries=2) as client:
            await client.fetch(httpx.URL(f"{url}/"), target)
    assert target.read_bytes() == body
    assert len(answers) == 2
    assert names_in(tmp_path) == ["result.bin"]


@pytest.mark.parametrize(
    ("operations", "format"),
    [
        ([], None),
        (["grayscale", "rotate:-12.5", "flip"], "jpeg"),
        (["resize:width=720,enlarge=true,fit=inside", "crop:left=1,top=2,width=3,height=4"], "png"),
        (["adjust:contrast=1.25", "blur:1e-3", "sharpen", "tint:colour=#7a5230"], "avif"),
        (["text:position=top,text=12\\, Rose = Lane: \\,\\", "text:A\\,B"], "webp"),
    ],
)
def test_a_query_is_read_as_the_pipeline_that_it_was_made_from(
    operations: list[str], format: str | None
) -> None:
    pipeline = parse_pipeline(operations, format, "73")
    query = query_of(pipeline)
    written = [value for name, value in query if name == "op"]
    others = {name: value for name, value in query if name != "op"}
    assert parse_pipeline(written, **others) == pipeline


async def test_the_key_is_the_same_for_the_same_work_only(tmp_path: Path) -> None:
    photo, copy, other = (take(tmp_path / f"{n}.jpg", seed=n // 2) for n in (0, 1, 2))
    keys = [await key_of(path, GRAY) for path in (photo, copy, other)]
    assert keys[0] == keys[1] != keys[2]
    assert await key_of(photo, Pipeline()) != keys[0]

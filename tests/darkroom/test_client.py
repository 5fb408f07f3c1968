"""The library: retries, timeouts, redirects, interrupted results, queries and keys."""

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
from tests.attempts import attempts
from tests.darkroom.command import files_in, write_photograph
from tests.processes import Service, faststream, mortal_valkey

GRAY = parse_pipeline(["grayscale"], "png")


def answering(
    *answers: httpx.Response, requested: list[float] | None = None
) -> httpx.MockTransport:
    """Return a gateway that gives these answers in turn, then the last one again and again.

    The time of each request is appended to `requested`.
    """
    remaining = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        if requested is not None:
            requested.append(time.monotonic())
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return httpx.MockTransport(answer)


def refusing(status: int, code: str, **headers: str) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "Not now."}
    return httpx.Response(status, json=document, headers=headers)


NO_JOBS = {"queued": 0, "running": 0, "later": 0, "age": 0, "rate": 0}
IDLE = {"workers": {}, "queues": {}, "jobs": NO_JOBS, "of_a_later_gateway": 1}


@pytest.mark.parametrize(("status", "code"), [(503, "overloaded"), (429, "rate_limited")])
async def test_a_refusal_is_retried_after_retry_after_and_not_earlier(
    status: int, code: str
) -> None:
    for attempt in attempts():
        requested: list[float] = []
        busy = refusing(status, code, **{"Retry-After": "1"})
        gateway = answering(busy, httpx.Response(200, json=IDLE), requested=requested)
        async with Client("http://gateway", transport=gateway) as client:
            assert (await client.system()).workers == {}
        first, second = requested
        assert second - first >= 1
        with attempt:
            assert second - first < 2


@pytest.mark.parametrize(
    ("status", "code", "requests"), [(502, "x", 3), (504, "x", 3), (422, "x", 1), (500, "x", 1)]
)
async def test_only_transient_refusals_are_retried_and_a_bounded_number_of_times(
    status: int, code: str, requests: int
) -> None:
    requested: list[float] = []
    gateway = answering(refusing(status, code), requested=requested)
    async with Client("http://gateway", attempts=3, transport=gateway) as client:
        with pytest.raises(GatewayError) as refused:
            await client.system()
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.detail == "Not now."
    assert len(requested) == requests


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "61"}])
async def test_a_limit_that_lasts_longer_than_a_minute_is_not_waited_for(
    headers: dict[str, str],
) -> None:
    requested: list[float] = []
    gateway = answering(refusing(429, "quota_exceeded", **headers), requested=requested)
    async with Client("http://gateway", transport=gateway) as client:
        with pytest.raises(GatewayError, match="quota_exceeded"):
            await client.system()
    assert len(requested) == 1


async def test_a_response_that_is_not_a_gateways_is_an_error_with_a_code() -> None:
    for answer, code in [
        (httpx.Response(404, text="<html>"), "http_404"),
        (httpx.Response(200, text="<html>"), "not_understood"),
    ]:
        async with Client("http://gateway", transport=answering(answer)) as client:
            with pytest.raises(GatewayError) as refused:
                await client.system()
        assert refused.value.code == code


async def test_a_gateway_that_does_not_run_is_unreachable() -> None:
    async with Client("http://127.0.0.1:9", attempts=2) as client:
        with pytest.raises(GatewayError) as refused:
            await client.jobs()
    assert (refused.value.code, refused.value.status) == ("unreachable", None)


async def test_a_submission_is_retried_until_redis_is_back(tmp_path: Path) -> None:
    photo = write_photograph(tmp_path / "a.jpg", seed=1)
    with mortal_valkey(tmp_path) as mortal, faststream("gateway", mortal.url) as gateway:
        mortal.kill()
        async with Client(gateway.url) as client:
            submitted = asyncio.create_task(client.submit(photo, GRAY, key="a"))
            await asyncio.sleep(0.5)  # the gateway refuses meanwhile
            await asyncio.to_thread(mortal.start)
            job = (await submitted).job
            assert (await client.job(job.id)).state == "queued"


async def test_waiting_for_a_job_ends_at_the_timeout(idle: Service, tmp_path: Path) -> None:
    photo = write_photograph(tmp_path / "a.jpg", seed=1)
    async with Client(idle.url) as client:
        job = (await client.submit(photo, GRAY, key="waits")).job
        with pytest.raises(GatewayError) as late:
            await client.wait(job.id, timeout=0.2)
        assert (await client.cancel(job.id)).state == "cancelled"
    assert late.value.code == "late"


async def test_a_redirect_to_another_origin_is_not_followed(
    gateway_url: str, tmp_path: Path
) -> None:
    photo = write_photograph(tmp_path / "a.jpg", seed=2)
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
async def cutting_off_first(body: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve `body`, but close the connection halfway through the first response."""
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


async def test_an_interrupted_result_is_fetched_again_and_leaves_no_partial_file(
    tmp_path: Path,
) -> None:
    target = tmp_path / "result.bin"
    body = bytes(range(256)) * 4000
    async with cutting_off_first(body) as (url, answers):
        async with Client(url, attempts=1) as client:
            with pytest.raises(GatewayError):
                await client.fetch(httpx.URL(f"{url}/"), target)
            assert files_in(tmp_path) == []
            answers.clear()
        async with Client(url, attempts=2) as client:
            await client.fetch(httpx.URL(f"{url}/"), target)
    assert target.read_bytes() == body
    assert len(answers) == 2
    assert files_in(tmp_path) == ["result.bin"]


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
def test_a_query_parses_to_the_pipeline_that_it_was_made_from(
    operations: list[str], format: str | None
) -> None:
    pipeline = parse_pipeline(operations, format, "73")
    query = query_of(pipeline)
    written = [value for name, value in query if name == "op"]
    others = {name: value for name, value in query if name != "op"}
    assert parse_pipeline(written, **others) == pipeline


async def test_the_key_depends_on_the_bytes_and_the_pipeline_only(tmp_path: Path) -> None:
    photo, copy, other = (write_photograph(tmp_path / f"{n}.jpg", seed=n // 2) for n in (0, 1, 2))
    keys = [await key_of(path, GRAY) for path in (photo, copy, other)]
    assert keys[0] == keys[1] != keys[2]
    assert await key_of(photo, Pipeline()) != keys[0]

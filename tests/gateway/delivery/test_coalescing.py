"""Equal renders at one gateway: one call to a worker, over a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from faststream.redis import RedisMessage, RedisResponse

from contracts.errors import DeadlineExceeded, Gone, ImageUnreadable, Internal
from contracts.imaging import RENDER, Blob, Render, Rendered
from contracts.operations.pipeline import Pipeline
from services.gateway import rpc
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.rpc import ImagingClient, Reply
from services.runtime.messaging import list_consumer, stream_consumer
from services.runtime.redis.client import make_redis
from services.runtime.rpc.attachments import ATTACH_UP_TO, ATTACHED
from services.runtime.rpc.broker import Broker
from services.runtime.settings import RuntimeSettings
from tests.processes import until, valkey

SOURCE = Blob(key="a" * 64, media_type="image/png", bytes=1)
RENDERED = Rendered(blob=Blob(key="b" * 64, media_type="image/webp", bytes=2), width=3, height=4)


class Worker:
    """A worker that answers when it is told to."""

    def __init__(self) -> None:
        self.requests: list[Render] = []
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.attached = b""
        self.headers: dict[str, str] = {}
        self.wanted: list[str | None] = []

    async def __call__(self, request: Render, message: RedisMessage) -> RedisResponse:
        self.requests.append(request)
        self.wanted.append(message.headers.get(ATTACH_UP_TO))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        body = RENDERED.model_dump_json().encode() + self.attached
        headers = {"content-type": "application/json", **self.headers}
        return RedisResponse(body, headers=headers, correlation_id=message.correlation_id)


class Suite:
    def __init__(self, url: str) -> None:
        settings = RuntimeSettings(redis_url=url)
        self.worker = Worker()
        self.serving = Broker(make_redis(settings), settings, capacity=100)
        self.serving.serve(RENDER, self.worker)
        self.gateway = Broker(make_redis(settings), settings)
        imaging = ImagingClient(self.gateway, max_calls=100)
        self.client = CoalescingClient(imaging, self.gateway.metrics)

    @property
    def collapsed(self) -> float | None:
        return self.gateway.metrics.registry.get_sample_value("darkroom_renders_collapsed_total")

    def asked(
        self, times: int, *, timeout: float = 5, reuse: bool = True
    ) -> list[asyncio.Task[Reply[Rendered]]]:
        call = Render(source=SOURCE, pipeline=Pipeline(), reuse=reuse)
        return [
            asyncio.create_task(self.client.render(call, timeout=timeout)) for _ in range(times)
        ]


@pytest.fixture
async def suite(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Suite]:
    # A stop waits for the end of a blocking read.
    for module in (list_consumer, stream_consumer):
        monkeypatch.setattr(module, "POLL", 0.05)
    with valkey() as server:
        suite = Suite(str(server.connection_url))
        await suite.serving.start()
        await suite.gateway.start()
        yield suite
        await suite.gateway.stop()
        await suite.serving.stop()


async def test_fifty_equal_requests_are_one_render_and_the_last_to_leave_cancels_it(
    suite: Suite,
) -> None:
    tasks = suite.asked(50)
    await until(lambda: bool(suite.worker.requests))
    suite.worker.go.set()
    replies = await asyncio.gather(*tasks)
    assert len(suite.worker.requests) == 1
    assert {reply.body for reply in replies} == {RENDERED}
    assert [reply.collapsed for reply in replies] == [False] + [True] * 49
    assert suite.collapsed == 49

    suite.worker.go.clear()
    first, second = suite.asked(2)
    await until(lambda: len(suite.worker.requests) == 2)
    first.cancel()
    await asyncio.wait([first, second], timeout=0.1)
    assert not suite.worker.cancelled
    second.cancel()
    await until(lambda: suite.worker.cancelled == 1)
    assert suite.gateway.inbox.outstanding == 0


async def test_a_request_with_a_short_timeout_leaves_the_others_waiting(suite: Suite) -> None:
    [patient] = suite.asked(1, timeout=5)
    await until(lambda: bool(suite.worker.requests))
    [hasty] = suite.asked(1, timeout=0.05)
    with pytest.raises(DeadlineExceeded):
        await hasty
    suite.worker.go.set()
    assert (await patient).body == RENDERED
    assert len(suite.worker.requests) == 1
    assert not suite.worker.cancelled


@pytest.mark.parametrize("error", [ImageUnreadable("torn"), Gone("deleted meanwhile")])
async def test_all_have_the_failure_of_their_render(suite: Suite, error: Exception) -> None:
    suite.worker.error = error
    tasks = suite.asked(3)
    await until(lambda: bool(suite.worker.requests))
    suite.worker.go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(error)] * 3
    assert len(suite.worker.requests) == 1


async def test_a_request_for_a_render_of_its_own_has_one(suite: Suite) -> None:
    suite.worker.go.set()
    replies = await asyncio.gather(*suite.asked(1), *suite.asked(2, reuse=False))
    assert [request.reuse for request in suite.worker.requests].count(False) == 2
    assert len(suite.worker.requests) == 3
    assert not any(reply.collapsed for reply in replies)


@pytest.mark.parametrize(("attached", "taken"), [(b"xy", b"xy"), (b"x", b""), (b"xyz", b"")])
async def test_attached_bytes_count_if_they_are_as_many_as_the_record_says(
    suite: Suite, attached: bytes, taken: bytes
) -> None:
    suite.worker.go.set()
    suite.worker.attached, suite.worker.headers = attached, {ATTACHED: str(len(attached))}
    [reply] = await asyncio.gather(*suite.asked(1))
    assert (reply.body, reply.attached) == (RENDERED, taken)


async def test_a_reply_with_more_bytes_than_its_header_says_is_a_failure(suite: Suite) -> None:
    suite.worker.go.set()
    suite.worker.attached, suite.worker.headers = b"xyz", {ATTACHED: "1"}
    [failure] = await asyncio.gather(*suite.asked(1), return_exceptions=True)
    assert isinstance(failure, Internal)
    assert failure.worker == suite.serving.worker


async def test_a_gateway_with_many_calls_under_way_asks_for_no_bytes(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_MAX_ATTACHED", 2)
    tasks = suite.asked(3, reuse=False)
    await until(lambda: len(suite.worker.requests) == 3)
    suite.worker.go.set()
    await asyncio.gather(*tasks)
    assert sorted(map(str, suite.worker.wanted)) == ["65536", "65536", "None"]


@pytest.mark.parametrize("headers", [{}, {"x-collapsed": "true"}])
async def test_the_worker_says_whether_a_request_waited_there(
    suite: Suite, headers: dict[str, str]
) -> None:
    suite.worker.go.set()
    suite.worker.headers = headers
    [reply] = await asyncio.gather(*suite.asked(1))
    assert reply.collapsed == bool(headers)

"""Middlewares of FastStream's that others add see every request, reply and call."""

from typing import Any

import pytest
from faststream import BaseMiddleware
from faststream.message import StreamMessage
from faststream.redis import RedisMessage, RedisResponse
from faststream.response import Response
from faststream.types import AsyncFuncAny
from structlog.testing import capture_logs

from contracts.errors import ImageUnreadable, Internal
from contracts.methods import Method, Transport
from services.runtime.rpc.broker import Broker
from tests.runtime.echo import ECHO, Ping, broker_on, call

EVERY_TRANSPORT = pytest.mark.parametrize("transport", list(Transport))
SEEN: list[str] = []


class Watcher(BaseMiddleware[Any, Any]):
    """Notes what passes."""

    async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
        SEEN.append(f"{msg.source_type.value} {msg.correlation_id}")
        try:
            return await call_next(msg)
        except Exception as exc:
            SEEN.append(type(exc).__name__)
            raise

    async def publish_scope(self, call_next: AsyncFuncAny, cmd: Any) -> Any:
        SEEN.append(f"{cmd.publish_type.value} {cmd.headers.get('x-outcome')}")
        return await call_next(cmd)


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


@EVERY_TRANSPORT
async def test_a_workers_middleware_sees_a_request_and_its_reply(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    worker.add_middleware(Watcher)
    destination: dict[str, Any] = {transport.value: ECHO.address(transport)}
    await caller.request(Ping(), **destination, correlation_id="mine")
    assert SEEN == ["CONSUME mine", "REPLY ok"]


async def test_a_workers_middleware_sees_the_exception_of_a_handler_and_the_reply(
    caller: Broker, worker: Broker
) -> None:
    worker.add_middleware(Watcher)
    with pytest.raises(ImageUnreadable):
        await call(caller, Ping(then="raise"), Transport.LIST)
    assert SEEN[1:] == ["ImageUnreadable", "REPLY failed"]


async def test_a_callers_middleware_sees_a_call_and_its_reply(
    caller: Broker, worker: Broker
) -> None:
    caller.add_middleware(Watcher)
    await caller.request(Ping(), list=ECHO.address(Transport.LIST), correlation_id="mine")
    with pytest.raises(ImageUnreadable):
        await call(caller, Ping(then="raise"), Transport.LIST)
    assert SEEN[:2] == ["REQUEST None", "RESPONSE mine"]
    assert (SEEN[2], SEEN[-1]) == ("REQUEST None", "ImageUnreadable")


async def test_a_publishers_middleware_sees_a_message_that_is_the_same_without_it(
    caller: Broker,
) -> None:
    async def publish() -> dict[bytes, bytes]:
        await caller.publish(
            Ping(text="a"),
            stream="test.published",
            correlation_id="mine",
            headers={"x-mine": "1"},
            reply_to="somewhere",
        )
        [(_, fields)] = await caller.redis.execute(
            "XREVRANGE", "test.published", "+", "-", "COUNT", 1
        )
        return dict(zip(fields[::2], fields[1::2], strict=True))

    alone = await publish()
    assert SEEN == []
    caller.add_middleware(Watcher)
    assert await publish() == alone
    assert SEEN == ["PUBLISH None"]


async def test_an_exception_of_a_middleware_is_the_callers_answer(
    caller: Broker, worker: Broker
) -> None:
    class Refusing(BaseMiddleware[Any, Any]):
        async def consume_scope(self, call_next: AsyncFuncAny, msg: StreamMessage[Any]) -> Any:
            raise PermissionError

    worker.add_middleware(Refusing)
    with capture_logs() as logs, pytest.raises(Internal):
        await call(caller, Ping(), Transport.STREAM)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["handler failed"]


@pytest.mark.usefixtures("both_ways")
@EVERY_TRANSPORT
@pytest.mark.parametrize("kind", [Response, RedisResponse])
async def test_a_response_keeps_its_headers_and_its_own_correlation_id(
    transport: Transport, kind: type[Response], redis_url: str, caller: Broker
) -> None:
    async def answer(request: Ping, message: RedisMessage) -> Response:
        headers = {"x-mine": "é", "x-got": str(message.headers["x-asked"])}
        return kind({"text": "yes"}, headers=headers, correlation_id="its own")

    method: Method[Ping, Ping] = Method("test.headers", Ping, Ping)
    worker = broker_on(redis_url)
    worker.serve(method, answer)
    await worker.start()
    try:
        destination: dict[str, Any] = {transport.value: method.address(transport)}
        reply = await caller.request(Ping(), **destination, headers={"x-asked": "this"})
    finally:
        await worker.stop()
    assert reply.correlation_id == "its own"
    assert reply.headers == {
        "correlation_id": "its own",
        "content-type": "application/json",
        "x-outcome": "ok",
        "x-worker": worker.worker,
        "x-mine": "é",
        "x-got": "this",
    }
    assert await reply.decode() == {"text": "yes"}


@pytest.mark.usefixtures("both_ways")
async def test_a_call_is_counted_on_both_sides(caller: Broker, worker: Broker) -> None:
    await call(caller, Ping(), Transport.LIST)
    with pytest.raises(ImageUnreadable):
        await call(caller, Ping(then="raise"), Transport.LIST)
    for broker, side in ((caller, "client"), (worker, "server")):
        text = broker.metrics.text().decode()
        for outcome in ("ok", "image_unreadable"):
            labels = f'method="test.echo",outcome="{outcome}",side="{side}",transport="list"'
            assert f"darkroom_call_seconds_count{{{labels}}} 1.0" in text

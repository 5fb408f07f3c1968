"""Each call has one log line, one observation and one span on each side."""

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from contracts.errors import ImageUnreadable, Internal
from contracts.methods import Transport
from services.runtime.rpc.broker import Broker
from services.runtime.telemetry import tracing
from tests.runtime.echo import ECHO, Ping, call

EVERY_TRANSPORT = pytest.mark.parametrize("transport", list(Transport))


def lines(logs: list[Any], event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


@EVERY_TRANSPORT
async def test_a_call_is_logged_once_on_each_side_with_its_correlation_id(
    transport: Transport, caller: Broker, worker: Broker
) -> None:
    with capture_logs() as logs:
        destination: dict[str, Any] = {transport.value: ECHO.address(transport)}
        await caller.request(Ping(), **destination, correlation_id="mine")
        await worker.stop()
    for event in ("called", "answered"):
        (line,) = lines(logs, event)
        assert line["correlation_id"] == "mine"
        assert (line["method"], line["transport"]) == ("test.echo", transport.value)
        assert line["outcome"] == "ok"


async def test_a_failure_is_logged_by_its_code_and_a_bug_with_its_traceback_once(
    caller: Broker, worker: Broker
) -> None:
    with capture_logs() as logs:
        with pytest.raises(ImageUnreadable) as caught:
            await call(caller, Ping(then="raise"), Transport.STREAM)
        with pytest.raises(Internal):
            await call(caller, Ping(then="break"), Transport.STREAM)
        await worker.stop()
    assert caught.value.worker == worker.worker
    assert [line["outcome"] for line in lines(logs, "called")] == ["image_unreadable", "internal"]
    assert [line["outcome"] for line in lines(logs, "answered")] == ["image_unreadable", "internal"]
    (bug,) = [line for line in logs if "exc_info" in line]
    assert isinstance(bug["exc_info"], ZeroDivisionError)


async def test_metrics_count_calls_under_a_bounded_number_of_labels(
    caller: Broker, worker: Broker
) -> None:
    for number in range(20):
        await call(caller, Ping(text=str(number)), Transport.LIST)
    await worker.stop()
    client, server = caller.metrics.text().decode(), worker.metrics.text().decode()
    labels = 'method="test.echo",outcome="ok",side="{}",transport="list"'
    assert f"darkroom_call_seconds_count{{{labels.format('client')}}} 20.0" in client
    assert f"darkroom_call_seconds_count{{{labels.format('server')}}} 20.0" in server
    assert "darkroom_calls_waiting 0.0" in client
    series = [line for line in client.splitlines() if line.startswith("darkroom_call_seconds")]
    assert len(series) < 40, "calls of one method and transport share one set of series"


@EVERY_TRANSPORT
async def test_a_trace_continues_through_redis_with_few_span_names(
    transport: Transport, caller: Broker, worker: Broker, spans: InMemorySpanExporter
) -> None:
    with tracing.continued_span("outer", {}) as outer:
        for _ in range(5):
            await call(caller, Ping(), transport)
    await worker.stop()
    finished = spans.get_finished_spans()
    assert {span.name for span in finished} == {"outer", "test.echo"}
    assert {span.context.trace_id for span in finished} == {outer.get_span_context().trace_id}
    servers = [span for span in finished if span.kind is trace.SpanKind.SERVER]
    clients = {span.context.span_id for span in finished if span.kind is trace.SpanKind.CLIENT}
    assert len(servers) == 6
    assert {span.parent.span_id for span in servers if span.parent} == clients


def test_a_malformed_traceparent_starts_a_new_trace(spans: InMemorySpanExporter) -> None:
    with tracing.continued_span("outer", {"traceparent": "00-zz-zz-01"}) as span:
        assert span.get_span_context().is_valid
    (finished,) = spans.get_finished_spans()
    assert finished.parent is None


def test_without_an_sdk_the_incoming_trace_context_is_passed_on() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.continued_span("outer", {"traceparent": parent}), tracing.inner_span("inner"):
        assert tracing.trace_headers() == {"traceparent": parent}


def test_an_sdk_is_looked_for_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 100.0, list[float]()
    look = trace.get_tracer_provider

    def counted() -> object:
        looks.append(now)
        return look()

    monkeypatch.setattr(tracing, "get_tracer_provider", counted)
    monkeypatch.setattr(tracing, "_without_sdk_until", 0.0)
    monkeypatch.setattr(tracing, "time", SimpleNamespace(monotonic=lambda: now))
    for _ in range(20):
        with tracing.inner_span("step"):
            now += 0.125
    assert looks == [100, 101, 102]

"""An HTTP request is a span in the trace of its `traceparent`, named after its route."""

import httpx
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.gateway.middleware.tracing import TraceMiddleware
from services.runtime.telemetry import tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = f"00-{'c' * 32}-{'d' * 16}-01"

Headers = dict[str, str] | list[tuple[str, str]]


async def ask(path: str, headers: Headers) -> dict[str, str]:
    app = FastAPI()

    @app.get("/things/{thing}")
    async def thing(thing: str) -> dict[str, str]:
        return tracing.trace_headers()

    transport = httpx.ASGITransport(TraceMiddleware(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        carried: dict[str, str] = (await client.get(path, headers=headers)).json()
        return carried


async def test_a_request_continues_the_trace_of_its_traceparent(
    spans: InMemorySpanExporter,
) -> None:
    carried = await ask("/things/1", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert carried["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"


async def test_spans_are_named_after_routes_and_not_paths(spans: InMemorySpanExporter) -> None:
    for number in range(3):
        await ask(f"/things/{number}", {"traceparent": "malformed"})
    finished = spans.get_finished_spans()
    assert {span.name for span in finished} == {"GET /things/{thing}"}
    assert len({span.context.trace_id for span in finished}) == 3


async def test_several_lines_of_traceparent_start_a_new_trace(spans: InMemorySpanExporter) -> None:
    own = f"00-{TRACE}-{PARENT}-01"
    for other in (OTHER, own):
        carried = await ask("/things/1", [("traceparent", own), ("TraceParent", other)])
        *_, span = spans.get_finished_spans()
        assert span.parent is None
        assert carried["traceparent"].split("-")[1] not in (TRACE, "c" * 32)


async def test_without_an_sdk_several_lines_of_traceparent_are_not_passed_on() -> None:
    own = f"00-{TRACE}-{PARENT}-01"
    assert await ask("/things/1", {"traceparent": own}) == {"traceparent": own}
    assert await ask("/things/1", [("traceparent", own), ("traceparent", OTHER)]) == {}


async def test_lines_of_tracestate_form_one_list(spans: InMemorySpanExporter) -> None:
    lines = [("traceparent", OTHER), ("tracestate", "a=1,b=2"), ("tracestate", "c=3")]
    assert (await ask("/things/1", lines))["tracestate"] == "a=1,b=2,c=3"

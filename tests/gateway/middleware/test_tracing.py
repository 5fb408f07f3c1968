"""An HTTP request is a span in the trace of its `traceparent`, named after its route."""

import httpx
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.gateway.middleware.tracing import TraceMiddleware
from services.runtime.telemetry import tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def ask(path: str, headers: dict[str, str]) -> dict[str, str]:
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

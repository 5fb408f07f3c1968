"""A job is one trace, from its submission through its render to its webhook, in real exporters."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.gateway.receiver import receiver
from tests.gateway.webhooks.signing import SECRET, verified
from tests.imaging.pictures import encoded, scenery
from tests.processes import faststream, until, valkey

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONTEXT = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "rojo=00f067aa0ba902b7,congo=t"}
WEBHOOKS = {
    "DARKROOM_WEBHOOK_SECRET": SECRET,
    "DARKROOM_WEBHOOK_ALLOW_PRIVATE": "true",
    "DARKROOM_WEBHOOK_PORTS": "1-65535",
}
SET_UP = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
written = open(os.environ["SPANS"], "a", buffering=1)
exporter = ConsoleSpanExporter(out=written, formatter=lambda span: span.to_json(None) + "\\n")
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
"""Python runs a file of this name at its start, as `opentelemetry-instrument` has it done."""


def spans_in(path: Path) -> list[dict[str, Any]]:
    """Return the spans of the trace that one process has exported."""
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    return [span for span in spans if span["context"]["trace_id"] == f"0x{TRACE}"]


async def submitted(gateway: str, webhook: str, headers: dict[str, str]) -> str:
    """Submit a job with two variants and return its id."""
    async with httpx.AsyncClient(base_url=gateway, timeout=10) as client:
        image = (await client.post("/v1/images", content=encoded(scenery(9, 6), "PNG"))).json()
        variants = [{}, {"output": {"format": "webp"}}]
        job = {"source": {"image": image["id"]}, "variants": variants, "webhook": {"url": webhook}}
        accepted = await client.post("/v1/jobs", json=job, headers=headers)
        assert accepted.status_code == 202
        return str(accepted.json()["id"])


async def test_submission_renders_and_webhook_of_a_job_are_one_trace(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SET_UP)
    gateway_spans, imaging_spans = tmp_path / "gateway", tmp_path / "imaging"
    env = {"PYTHONPATH": str(tmp_path), **WEBHOOKS}
    with (
        valkey() as server,
        faststream(
            "imaging", url := str(server.connection_url), env={**env, "SPANS": str(imaging_spans)}
        ),
        faststream("gateway", url, env={**env, "SPANS": str(gateway_spans)}) as gateway,
    ):
        async with receiver() as webhooks:
            job = await submitted(gateway.url, webhooks.url, CONTEXT)
            [request] = await webhooks.receive(1)
            await until(lambda: len(spans_in(gateway_spans)) == 2)

    assert verified(request)["data"]["id"] == job
    submission, delivery = spans_in(gateway_spans)
    work = spans_in(imaging_spans)[-1]
    names = {span["name"]: span for span in (submission, delivery, work)}
    assert list(names) == ["POST /v1/jobs", "webhook", "imaging.jobs"]
    assert submission["parent_id"] == f"0x{PARENT}"
    for span in (delivery, work):
        assert span["parent_id"] == submission["context"]["span_id"]
        assert span["attributes"] == {"darkroom.job": job}
    renders = [span for span in spans_in(imaging_spans) if span["name"] == "imaging.render"]
    assert [span["parent_id"] for span in renders] == [work["context"]["span_id"]] * 2
    own = delivery["context"]["span_id"].removeprefix("0x")
    assert request.headers["traceparent"] == f"00-{TRACE}-{own}-01"
    assert request.headers["tracestate"] == CONTEXT["tracestate"]

"""Whether a process lives, whether it is of use, and what it has counted."""

import asyncio
import json
from contextlib import suppress

from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import ASGIApp, Scope
from prometheus_client import CONTENT_TYPE_LATEST

from contracts.errors import Unavailable
from services.runtime.introspection.queues import Queues
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import redis_errors
from services.runtime.rpc.broker import Broker


def health_routes(broker: Broker) -> list[tuple[str, ASGIApp]]:
    """`/health/live`: the process answers. `/health/ready`: it could do its work now."""

    @get(include_in_schema=False)
    async def live(scope: Scope) -> AsgiResponse:
        return _json(200, {"status": "live"})

    @get(include_in_schema=False)
    async def ready(scope: Scope) -> AsgiResponse:
        checks = {
            "redis": await _redis_answers(broker),
            "inbox": broker.inbox.listening,
            "heartbeat": broker.presence.beating,
            "subscribers": broker.running and all(sub.running for sub in broker.subscribers),
        }
        well = all(checks.values())
        said = {name: "ok" if check else "not ok" for name, check in checks.items()}
        return _json(200 if well else 503, {"status": "ready" if well else "not ready", **said})

    return [("/health/live", live), ("/health/ready", ready)]


def metrics_route(broker: Broker, queues: Queues, jobs: Jobs) -> tuple[str, ASGIApp]:
    """`/metrics`, for Prometheus."""

    @get(include_in_schema=False)
    async def metrics(scope: Scope) -> AsgiResponse:
        with suppress(Unavailable), redis_errors():
            broker.metrics.show_queues(await queues.look())
            broker.metrics.show_jobs(await jobs.outlook())
        return AsgiResponse(broker.metrics.text(), 200, {"Content-Type": CONTENT_TYPE_LATEST})

    return "/metrics", metrics


async def _redis_answers(broker: Broker) -> bool:
    try:
        with redis_errors():
            async with asyncio.timeout(1):
                return bool(await broker.redis.ping())
    except (Unavailable, TimeoutError):
        return False


def _json(status: int, content: dict[str, str]) -> AsgiResponse:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return AsgiResponse(json.dumps(content).encode(), status, headers)

"""Health checks and metrics over HTTP."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import ASGIApp, Scope
from prometheus_client import CONTENT_TYPE_LATEST

from contracts.errors import ServiceError
from services.runtime.introspection.gauges import QueueGauges
from services.runtime.introspection.queues import Queues
from services.runtime.introspection.storage_state import StorageState
from services.runtime.jobs.store import Jobs
from services.runtime.liveness.server_clock import Clock
from services.runtime.redis.client import redis_errors
from services.runtime.rpc.broker import Broker

_MUCH_MEMORY = 0.85  # of maxmemory


def health_routes(
    broker: Broker, storage: StorageState, failures: Mapping[str, Callable[[], str]] | None = None
) -> list[tuple[str, ASGIApp]]:
    """Return the routes of the health checks, by path.

    `failures` are checks of one service alone, by name: each returns why the service is not ready,
    or an empty text.

    `/health/live` is 200 while the process answers. `/health/ready` is 200 if the process can do
    its work now, and 503 otherwise, with the result of each check. Notes beside the checks tell of
    what needs an operator but stops no work.
    """

    @get(include_in_schema=False)
    async def live(scope: Scope) -> AsgiResponse:
        return _json(200, {"status": "live"})

    @get(include_in_schema=False)
    async def ready(scope: Scope) -> AsgiResponse:
        state = broker.store.state
        running = {
            "redis": await _redis_answers(broker),
            "inbox": broker.inbox.listening,
            "heartbeat": broker.heartbeat.beating,
            "watch": broker.store.running,
            "subscribers": broker.running and all(sub.running for sub in broker.consumers),
        }
        checks = {name: "ok" if check else "not ok" for name, check in running.items()}
        checks["store"] = storage.failure or "ok"
        checks["eviction"] = state.refused or "ok"
        checks["writes"] = state.unwritable.detail if state.unwritable else "ok"
        checks |= {name: failure() or "ok" for name, failure in (failures or {}).items()}
        healthy = all(result == "ok" for result in checks.values())
        notes = {
            "persistence": state.volatile or "ok",
            "memory": _memory_note(state.memory),
            "room": storage.full or "ok",
            "clock": _clock_note(broker.clock),
        }
        status = {"status": "ready" if healthy else "not ready"}
        return _json(200 if healthy else 503, {**status, **checks, **notes})

    return [("/health/live", live), ("/health/ready", ready)]


def metrics_route(
    broker: Broker, queues: Queues, jobs: Jobs, storage: StorageState
) -> tuple[str, ASGIApp]:
    """Return the route of the metrics, in Prometheus's text format, after its path.

    Without Redis the gauges of queues, jobs and the store keep their last values.
    """
    gauges = QueueGauges(broker.metrics.registry)

    @get(include_in_schema=False)
    async def metrics(scope: Scope) -> AsgiResponse:
        with suppress(ServiceError), redis_errors():
            gauges.set_queues(await queues.look())
            gauges.set_jobs(await jobs.backlog())
            await storage.set_gauges()
        headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
        return AsgiResponse(broker.metrics.text(), 200, headers)

    return "/metrics", metrics


async def _redis_answers(broker: Broker) -> bool:
    try:
        with redis_errors():
            async with asyncio.timeout(1):
                return await broker.redis.ping()
    except (ServiceError, TimeoutError):
        return False


def _memory_note(used: float) -> str:
    return "ok" if used < _MUCH_MEMORY else f"Redis uses {used:.0%} of its maxmemory."


def _clock_note(clock: Clock) -> str:
    if not clock.skewed:
        return "ok"
    side = "ahead of" if clock.skew > 0 else "behind"
    return f"This host's clock is {abs(clock.skew):.1f} s {side} Redis's."


def _json(status: int, content: dict[str, str]) -> AsgiResponse:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return AsgiResponse(json.dumps(content).encode(), status, headers)

"""The imaging service, put together."""

from importlib.metadata import version

from faststream.asgi import AsgiFastStream

from contracts.imaging import METHODS
from contracts.jobs import JOBS
from services.imaging import handlers
from services.imaging.jobs import runner as job_runner
from services.imaging.pool import tasks
from services.imaging.pool.executor import Executor
from services.imaging.settings import ImagingSettings
from services.runtime.gc_tuning import settle
from services.runtime.introspection.asyncapi import suite_specification
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from services.runtime.introspection.queues import Queues
from services.runtime.jobs.maintenance import JobMaintenance
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.telemetry.logging import configure_logging

# Looked up in a file, which is not for every heartbeat.
_PILLOW = version("pillow")


def create_app(settings: ImagingSettings) -> AsgiFastStream:
    """Everything the service is made of, made once and handed down."""
    redis = make_redis(settings)
    # Room is looked at before a read and taken after it: a reader a method and transport may be
    # one over, and what was read must find a place to wait.
    room = 2 * settings.slots
    executor = Executor(settings.slots, waiting=room + 8)
    broker = Broker(
        redis,
        settings,
        capacity=room,
        report=lambda: {
            "slots": executor.slots,
            "busy": executor.busy,
            "pillow": _PILLOW,
        },
    )
    handlers.register(broker, executor, settings)
    records = Jobs(redis, settings)
    runner = job_runner.register(broker, records, executor, settings)
    housekeeper = JobMaintenance(broker.worker, records)
    broker.metrics.watch("darkroom_slots", "Pool processes.", lambda: executor.slots)
    broker.metrics.watch("darkroom_slots_busy", "Those that work.", lambda: executor.busy)

    queues = Queues.of(METHODS, JOBS, redis=redis, clock=broker.clock)

    async def prepare() -> None:
        configure_logging(settings.log_level)
        await executor.start(tasks.warm, settings)

    return AsgiFastStream(
        broker,
        logger=None,
        specification=suite_specification(),
        on_startup=[prepare],
        after_startup=[housekeeper.start, settle],
        on_shutdown=[housekeeper.stop, runner.rest],
        after_shutdown=[runner.stop, executor.stop],
        asgi_routes=[
            *health_routes(broker),
            metrics_route(broker, queues, records),
            *documentation_routes(),
        ],
    )

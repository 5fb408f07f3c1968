"""Composition root of the imaging service."""

from functools import partial
from importlib.metadata import version

from faststream.asgi import AsgiFastStream

from contracts.imaging import METHODS
from contracts.jobs import JOBS
from contracts.methods import Transport
from services.imaging import handlers
from services.imaging.jobs import runner as job_runner
from services.imaging.jobs.outages import Outages
from services.imaging.peers import Peers, announcement
from services.imaging.pool.adaptive_limit import AdaptiveLimit
from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.rendering.coalescing import WAITING
from services.imaging.rendering.renders import Renders
from services.imaging.settings import ImagingSettings
from services.runtime.gc_tuning import settle
from services.runtime.introspection.asyncapi import suite_specification
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from services.runtime.introspection.queues import Queues
from services.runtime.introspection.storage_state import StorageState
from services.runtime.jobs.maintenance import JobMaintenance
from services.runtime.jobs.store import Jobs
from services.runtime.malloc_tuning import tune_malloc
from services.runtime.redis.client import make_redis
from services.runtime.refused_start import end_process
from services.runtime.rpc.broker import Broker
from services.runtime.storage.administration.maintenance import SWEEP_MARGIN, StoreMaintenance
from services.runtime.storage.images import Images
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, start_storage, stop_storage
from services.runtime.telemetry.logging import configure_logging

_READERS = len(METHODS) * len(Transport)
# Read once: `version` reads a file, and each heartbeat has the report.
_PILLOW = version("pillow")


def create_app(settings: ImagingSettings, program: Program | None = None) -> AsgiFastStream:
    """Create the service: broker, executor, job runner, and HTTP for health and metrics.

    Pool processes run `program`, the one of the package by default.
    """
    redis = make_redis(settings)
    # A reader checks the capacity before its read and takes it afterwards, so each reader (one for
    # every method and transport) may exceed it by as much, and all that is read has to wait here.
    capacity = AdaptiveLimit(2 * settings.slots, 8 * settings.slots)
    executor = Executor(settings, waiting=_READERS * capacity.most, limit=capacity, program=program)
    broker = Broker(
        redis,
        settings,
        capacity=capacity,
        lendable=executor.heavy_places + WAITING,
        on_refused=end_process,
        report=lambda: {
            "slots": executor.slots,
            "busy": executor.busy,
            "pillow": _PILLOW,
            **announcement(),
            "sandbox_missing": ", ".join(executor.missing),
        },
    )
    storage = make_storage(settings, redis, broker.metrics)
    storage_state = StorageState(storage)
    images, renditions = Images(storage), Renditions(storage)
    broker.prepare = partial(start_storage, storage, on_refused=end_process)
    peers = Peers(broker, images)
    renders = Renders(executor, images, renditions, settings)
    handlers.register(broker, renders, settings, peers)
    jobs = Jobs(redis, settings)
    runner = job_runner.register(
        broker, jobs, renders, settings, peers, renditions, Outages(broker.store, storage.store)
    )
    maintenance = JobMaintenance(broker.worker, jobs)
    store_maintenance = StoreMaintenance(
        broker.worker,
        storage,
        interval=settings.sweep_interval,
        grace=settings.job_timeout + SWEEP_MARGIN,
    )
    broker.metrics.watch("darkroom_slots", "Pool processes.", lambda: executor.slots)
    broker.metrics.watch("darkroom_slots_busy", "Pool processes that work.", lambda: executor.busy)

    queues = Queues.of(METHODS, JOBS, redis=redis, clock=broker.clock)

    async def prepare() -> None:
        configure_logging(settings.log_level)
        tune_malloc()
        await executor.start()

    return AsgiFastStream(
        broker,
        logger=None,
        specification=suite_specification(),
        on_startup=[prepare],
        after_startup=[
            maintenance.start,
            store_maintenance.start,
            settle,
        ],
        on_shutdown=[store_maintenance.stop, maintenance.stop, runner.drain],
        after_shutdown=[runner.stop, executor.stop, partial(stop_storage, storage)],
        asgi_routes=[
            *health_routes(broker, storage_state),
            metrics_route(broker, queues, jobs, storage_state),
            *documentation_routes(),
        ],
    )

"""Composition root: make every object of the gateway once, and mount FastAPI in FastStream."""

import asyncio
from collections.abc import Callable
from functools import partial
from math import ceil

from faststream.asgi import AsgiFastStream
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.imaging import METHODS
from contracts.jobs import EVENTS, JOBS
from services.gateway.access.anonymous import AnonymousAccess
from services.gateway.access.exposure import Exposure
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.keys.keys import Keys
from services.gateway.access.limits.charges import Charges
from services.gateway.access.limits.limiter import Limiter
from services.gateway.access.rules import check_routes, methods_of
from services.gateway.delivery.coalescing import CoalescingClient
from services.gateway.delivery.delivery import Delivery
from services.gateway.delivery.visits import Visits
from services.gateway.dependencies import Dependencies
from services.gateway.front import make_front
from services.gateway.http.image_response import AnswerRoom
from services.gateway.http_application import create_http
from services.gateway.live.hub import LiveHub
from services.gateway.middleware.caching import CachingMiddleware
from services.gateway.middleware.correlation import CorrelationMiddleware
from services.gateway.middleware.head import HeadMiddleware
from services.gateway.reloading import HangUp
from services.gateway.routes import fetch, images, results
from services.gateway.routes.direct.plain_delivery import PlainDelivery
from services.gateway.routes.direct.plain_submission import PlainSubmission
from services.gateway.rpc import ImagingClient
from services.gateway.server import unbounded
from services.gateway.server.binding import ExposedServerError, UnboundedServerError, bind
from services.gateway.server.unbounded import is_bounded
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.gateway.sources.acquire import Acquirer
from services.gateway.sources.setup import make_originals, read_sources
from services.gateway.sources.uploads.upload import UploadReader
from services.gateway.token_bucket import TokenBucket
from services.gateway.webhooks.dispatcher import WebhookDispatcher
from services.runtime.capacity import Capacity
from services.runtime.gc_tuning import settle
from services.runtime.introspection.asyncapi import suite_specification
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from services.runtime.introspection.queues import Queues
from services.runtime.introspection.storage_state import StorageState
from services.runtime.jobs.own_events import published_event
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.liveness.heartbeat import Workers
from services.runtime.malloc_tuning import tune_malloc
from services.runtime.messaging.consumer import Received
from services.runtime.redis.client import make_redis
from services.runtime.refused_start import end_process
from services.runtime.rpc.broker import Broker
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.lookups import Lookups
from services.runtime.storage.purge import Purge
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage, start_storage, stop_storage
from services.runtime.telemetry.logging import configure_logging


class GatewayApp(AsgiFastStream):
    """FastStream's application, for the broker's life cycle; FastAPI answers every request.

    It starts, and answers, only under a server with the gateway's bounds on connections.
    """

    http: ASGIApp
    bind: Callable[[Receive], None]

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the bounds in force, and start; without them, the start fails."""
        try:
            self.bind(receive)
        except (UnboundedServerError, ExposedServerError) as exc:
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await super().lifespan(scope, receive, send)

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request, or a WebSocket, to FastAPI."""
        app = self.http if is_bounded(scope) else CorrelationMiddleware(unbounded.refuse)
        await app(scope, receive, send)


def create_app(settings: GatewaySettings) -> GatewayApp:
    """Make the application and everything it works with; nothing connects before its start-up."""
    anonymous = AnonymousAccess(settings)
    redis = make_redis(settings)
    broker = Broker(
        redis,
        settings,
        capacity=Capacity(settings.max_backlog),
        patience=settings.call_patience,
        on_refused=end_process,
    )
    storage = make_storage(settings, redis, broker.metrics)
    storage_state = StorageState(storage)
    broker.prepare = partial(start_storage, storage, on_refused=end_process)
    records = Jobs(redis, settings)
    live_hub = LiveHub(records, settings)

    async def on_event(received: Received) -> None:
        live_hub.on_event(published_event(received))

    broker.follow(EVENTS, on_event, on_gap=live_hub.on_gap)
    keyring = Keyring(redis, settings.admin_key)
    exposure = Exposure(watched=settings.access is None)
    shutdown = Shutdown()
    webhook_queue = WebhookQueue(redis, lease=settings.webhook_lease)
    webhooks = WebhookDispatcher(records, webhook_queue, settings, broker.metrics)

    image_blobs, renditions = Images(storage), Renditions(storage)
    uploads = UploadReader(image_blobs, settings, storage.scratch)
    sources = read_sources(settings)
    files = [*anonymous.files, *filter(None, [sources])]
    originals = make_originals(
        sources,
        settings,
        redis=redis,
        images=image_blobs,
        bodies=uploads,
        scratch=storage.scratch,
        metrics=broker.metrics,
    )
    answers = AnswerRoom(settings.max_answers)
    delivery = Delivery(redis, image_blobs, renditions, answers, settings, broker.metrics)

    async def prepare() -> None:
        configure_logging(settings.log_level)
        tune_malloc()

    app = GatewayApp(
        broker,
        logger=None,
        specification=suite_specification(),
        on_startup=[prepare],
        after_startup=[
            shutdown.watch,
            HangUp(files, on_change=delivery.cache.clear).watch,
            webhooks.start,
            keyring.start,
            delivery.start,
            settle,
        ],
        on_shutdown=[webhooks.stop, delivery.stop, keyring.stop, originals.close],
        after_shutdown=[partial(stop_storage, storage)],
    )
    queues = Queues.of(METHODS, JOBS, redis=redis, clock=broker.clock)
    imaging = ImagingClient(broker, max_calls=settings.max_calls)
    dependencies = Dependencies(
        settings=settings,
        imaging=CoalescingClient(imaging, broker.metrics),
        images=image_blobs,
        kept=KeptImages(redis, image_blobs),
        renditions=renditions,
        lookups=Lookups(redis, image_blobs, renditions),
        purge=Purge(storage, longest=ceil(settings.job_timeout)),
        delivery=delivery,
        keys=Keys(redis, keyring),
        presets=anonymous.presets,
        jobs=records,
        live=live_hub,
        webhooks=webhooks,
        shutdown=shutdown,
        workers=Workers(redis),
        queues=queues,
        uploads=uploads,
        originals=originals,
        acquirer=Acquirer(uploads, image_blobs, originals),
        rerenders=TokenBucket(rate=settings.max_rerenders / 60, size=settings.max_rerenders),
        charges=Charges(image_blobs, imaging, inspect_timeout=settings.inspect_timeout),
        visits=Visits(),
        answers=answers,
        store=broker.store,
        storage=storage_state,
        turn=asyncio.Lock(),
    )
    http = create_http(dependencies)
    # Routes of FastAPI: FastStream's own refuse requests without a problem document.
    for path, route in (
        *health_routes(broker, storage_state, {"access": lambda: exposure.failure}),
        metrics_route(broker, queues, records, storage_state),
        *documentation_routes(),
    ):
        http.router.routes.append(Route(path, route, methods=["GET"]))
    check_routes(http.routes)
    delivering = (*images.router.routes, *fetch.router.routes, *results.router.routes)
    plain = PlainSubmission(PlainDelivery(http, dependencies, delivering), http, dependencies)
    front = make_front(
        CachingMiddleware(HeadMiddleware(plain)),
        settings,
        delivery=delivery,
        limiter=Limiter(redis, settings, broker.metrics),
        anonymous=anonymous,
        keyring=keyring,
        exposure=exposure,
        methods=methods_of(http.routes),
        bodies=plain.with_bodies,
    )
    app.after_startup(front.readers.start)
    app.on_shutdown(front.readers.stop)
    app.http = front.app
    app.bind = partial(
        bind, settings=settings, metrics=broker.metrics, shutdown=shutdown, at_once=front.at_once
    )
    return app

"""The gateway, put together: a FastAPI application inside FastStream's ASGI application."""

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from faststream.asgi import AsgiFastStream
from faststream.redis import RedisMessage
from redis.exceptions import RedisError
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.imaging import METHODS
from contracts.jobs import EVENTS, JOBS, JobEvent
from services.gateway.dependencies import Collaborators, refuse_long_queries
from services.gateway.http import openapi, problems
from services.gateway.http.query import refuse_unknown_parameters
from services.gateway.live import hub
from services.gateway.live.hub import LiveHub
from services.gateway.middleware.correlation import CorrelationMiddleware
from services.gateway.middleware.head import HeadMiddleware
from services.gateway.middleware.unread_body import LingeringMiddleware
from services.gateway.middleware.tracing import TraceMiddleware
from services.gateway.routes import dead_letters, events, images, jobs, render, results, system
from services.gateway.rpc import Imaging
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.gateway.sources.upload import Uploads
from services.gateway.webhooks import payload
from services.gateway.webhooks.dispatcher import Webhooks
from services.runtime.gc_tuning import settle
from services.runtime.introspection.asyncapi import SuiteSpecification
from services.runtime.introspection.asyncapi_page import documentation_routes
from services.runtime.introspection.health import health_routes, metrics_route
from services.runtime.jobs.store import Jobs
from services.runtime.jobs.webhook_queue import WebhookQueue
from services.runtime.liveness.heartbeat import Workers
from services.runtime.messaging.streams import entry_of
from services.runtime.redis.client import make_redis
from services.runtime.rpc.broker import Broker
from services.runtime.storage.blobs import Blobs, Kind
from services.runtime.telemetry.logging import configure_logging


class GatewayApp(AsgiFastStream):
    """FastStream's application for the broker's life, and FastAPI's for everything asked of it."""

    http: ASGIApp

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over, WebSockets included."""
        await self.http(scope, receive, send)


def create_app(settings: GatewaySettings) -> GatewayApp:
    """Everything the service is made of, made once and handed down."""
    redis = make_redis(settings)
    broker = Broker(redis, settings, room=settings.max_backlog)
    records = Jobs(redis, settings)
    pushes = LiveHub(records, settings)

    async def tell(event: JobEvent, message: RedisMessage) -> None:
        pushes.tell(event.model_copy(update={"id": entry_of(message)}))

    broker.follow(EVENTS, JobEvent, tell, on_gap=pushes.missed)
    closing = Shutdown()

    deliveries = WebhookQueue(redis, lease=settings.webhook_lease)
    webhooks = Webhooks(records, deliveries, settings, broker.metrics)

    async def prepare() -> None:
        configure_logging(settings.log_level)

    app = GatewayApp(
        broker,
        logger=None,
        specification=SuiteSpecification(),
        on_startup=[prepare],
        after_startup=[closing.watch, webhooks.start, settle],
        on_shutdown=[webhooks.stop],
    )
    images_kept = Blobs(redis, Kind.IMAGE)
    queues = broker.queues(METHODS, JOBS)
    collaborators = Collaborators(
        settings=settings,
        imaging=Imaging(broker, max_calls=settings.max_calls),
        images=images_kept,
        renditions=Blobs(redis, Kind.RENDITION),
        jobs=records,
        live=pushes,
        webhooks=webhooks,
        closing=closing,
        workers=Workers(redis),
        queues=queues,
        uploads=Uploads(images_kept, settings),
    )
    http = create_http(collaborators)
    # Here and not with FastStream, whose refusals are no problem documents.
    for path, route in (
        *health_routes(broker),
        metrics_route(broker, queues, records),
        *documentation_routes(),
    ):
        http.router.routes.append(Route(path, route, methods=["GET"]))
    lingering = LingeringMiddleware(HeadMiddleware(http), seconds=settings.linger)
    app.http = CorrelationMiddleware(TraceMiddleware(lingering))
    return app


def create_http(collaborators: Collaborators) -> FastAPI:
    """The HTTP side: routes, problem documents, the page and its documentation."""
    http = FastAPIOffline(
        title="Darkroom",
        version="0.1.0",
        description="Send photographs, get them turned, sized, black and white: now or later.",
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_long_queries), Depends(refuse_unknown_parameters)],
    )
    http.state.collaborators = collaborators
    problems.install(http)
    http.add_exception_handler(RedisError, problems.store_away)
    for part in (render, images, jobs, results, events, dead_letters, hub, system):
        http.include_router(part.router)
    system.mount_page_files(http)
    http.webhooks.include_router(payload.documented)
    openapi.describe_bodies(http, jobs.NewJob)
    return http

"""The FastAPI application: routes, error handlers, the page and the documentation."""

from functools import partial

from fastapi import Depends
from redis.exceptions import RedisError

from contracts.jobs import JobEvent
from contracts.version import VERSION
from services.gateway.access.documentation import describe_access
from services.gateway.access.keys.records import KeyRecord
from services.gateway.dependencies import Dependencies
from services.gateway.http import error_handlers, openapi
from services.gateway.http.openapi_document import DocumentedApplication
from services.gateway.http.problems import Problem
from services.gateway.http.query import check_query
from services.gateway.routes import (
    dead_letters,
    documents,
    events,
    fetch,
    guide,
    images,
    jobs,
    kept,
    keys,
    live,
    presets,
    render,
    results,
    session,
    system,
    webhook_secret,
)
from services.gateway.webhooks import payload


def create_http(dependencies: Dependencies) -> DocumentedApplication:
    """Make the application. Its routes find `dependencies` in its state."""
    http = DocumentedApplication(
        models=(
            *(jobs.NewJob, kept.ImageChange, keys.NewKey, KeyRecord),
            *(live.WatchRequest, JobEvent, Problem),
        ),
        describe=partial(describe_access, settings=dependencies.settings),
        title="Darkroom",
        version=VERSION,
        description=openapi.DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": "/", "description": "This gateway."}],
        openapi_tags=openapi.TAGS,
        generate_unique_id_function=openapi.operation_id,
        openapi_url=None,
        redirect_slashes=False,
        # `TraceMiddleware` has the request's span, which refused requests have as well.
        telemetry={"tracing": False},
        dependencies=[Depends(check_query)],
    )
    http.state.dependencies = dependencies
    error_handlers.install_error_handlers(http)
    http.add_exception_handler(RedisError, error_handlers.redis_error)
    # Each request tries one route after another: those of many requests come first.
    for module in (
        *(render, jobs, images, fetch, kept, results, events, dead_letters, live, keys),
        *(session, webhook_secret, presets, system, guide, documents),
    ):
        http.include_router(module.router)
    system.mount_page_files(http)
    documents.mount_page_files(http)
    guide.mount_guide(http)
    http.webhooks.include_router(payload.documentation)
    return http

"""The one way to Redis: a bounded pool whose callers wait, and errors that are named."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from redis import ConnectionPool
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import parse_url as parse_url_for_blocking
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry as BlockingRetry

from contracts.errors import Unavailable
from services.runtime.redis.blocking import BlockingConnection
from services.runtime.settings import RuntimeSettings

log = structlog.get_logger(__name__)

RECONNECT_DELAY = 0.25
"""Seconds between two tries to reach a Redis that is away."""

LOST = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a lost connection raises."""


def make_redis(settings: RuntimeSettings) -> Redis:
    """A client on a pool of its own; nothing is connected yet.

    A command is never sent twice: the pool finds dead connections when it hands them out, and a
    repeated XADD or RPUSH would be a second request.
    """
    pool = BlockingConnectionPool(
        **_options(parse_url(settings.redis_url)),
        max_connections=settings.redis_connections,
        timeout=10,  # seconds to wait for a free connection: longer than any command takes
        retry=Retry(NoBackoff(), 0),
    )
    return Redis(connection_pool=pool)


def make_held(settings: RuntimeSettings) -> BlockingConnection:
    """The connection of a process that has no event loop; it is made when something is asked."""
    pool = ConnectionPool(
        **_options(
            parse_url_for_blocking(settings.redis_url),  # type: ignore[no-untyped-call]
            patience=3.0,  # less than whoever waits for this process has
        ),
        retry=BlockingRetry(NoBackoff(), 0),
    )
    return BlockingConnection(pool.make_connection())


def _options(place: Mapping[str, Any], *, patience: float = 5.0) -> dict[str, Any]:
    # What the URL says of more than the place has no say: everything here counts on what follows.
    options = {name: value for name, value in place.items() if name not in _OURS}
    if "path" not in options:
        options["socket_keepalive"] = True
    return options | {
        "socket_connect_timeout": 2.0,
        "socket_timeout": patience,  # seconds without an answer until a connection counts as lost
        # While it listens for notices of a managed Redis's upgrades, the pool hands out dead
        # connections without looking at them.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


_OURS = frozenset(
    {
        *("decode_responses", "encoding", "encoding_errors", "max_connections", "timeout"),
        *("retry", "retry_on_timeout", "retry_on_error", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive"),
    }
)


async def wait_for_redis(redis: Redis, settings: RuntimeSettings) -> None:
    """Return once Redis answers; say so while it doesn't."""
    waiting = False
    while True:
        try:
            await redis.ping()
        except LOST as exc:
            if not waiting:
                log.warning("waiting for redis", address=address_of(settings), reason=str(exc))
                waiting = True
            await asyncio.sleep(RECONNECT_DELAY)
        else:
            if waiting:
                log.info("redis is there", address=address_of(settings))
            return


def address_of(settings: RuntimeSettings) -> str:
    """Host and port of Redis, without the password that its URL may hold."""
    parts = urlsplit(settings.redis_url)
    try:
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        return "an address that can't be read"


@contextmanager
def redis_errors() -> Iterator[None]:
    """Within it, a Redis that is away, loading or full is `Unavailable`."""
    try:
        yield
    except (RedisError, OSError) as exc:
        raise Unavailable(
            "The store behind this service does not answer; try again soon.", retry_after=2
        ) from exc

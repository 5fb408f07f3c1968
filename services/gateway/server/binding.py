"""Put the bounds in force when uvicorn starts the gateway, however uvicorn was started.

uvicorn chooses its protocol class before it imports the application, and `faststream run` has no
option for it. But uvicorn asks its configuration for the class at each connection, and the first
connection comes after the application's start-up. So the start-up replaces the class.
"""

import math
import os
import resource
import socket
from functools import partial
from typing import Any, cast

import structlog
from starlette.types import Receive
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.gateway.access.exposure import ADVICE, is_loopback
from services.gateway.middleware.proxies import TrustedProxies
from services.gateway.server.answering import AnsweringProtocol
from services.gateway.server.at_once import AtOnce
from services.gateway.server.connections import Connections
from services.gateway.server.websocket import MAX_MESSAGE, BoundedWebSocket
from services.gateway.settings import GatewaySettings
from services.gateway.shutdown import Shutdown
from services.runtime.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_FILES_PER_CONNECTION = 2  # a socket, and the file of a body or of an image
_UVICORNS_PROXIES = "127.0.0.1,::1"  # without FORWARDED_ALLOW_IPS
_OTHER_FILES = 256  # open files of the process beside those


class UnboundedServerError(Exception):
    """The server that starts the gateway can't keep the gateway's bounds on connections."""


class ExposedServerError(Exception):
    """The server listens where other hosts reach it, and nothing says who may use the gateway."""


def bind(
    receive: Receive,
    settings: GatewaySettings,
    metrics: Metrics,
    shutdown: Shutdown,
    at_once: AtOnce,
) -> None:
    """Make the server that calls the application's lifespan use the bounds of `settings`.

    It gives the answers that `at_once` has without asking the application.

    `receive` is the lifespan's: uvicorn's is a method of an object with the configuration. Raises
    UnboundedServerError if the server is not uvicorn with httptools, or may not open enough files,
    and ExposedServerError if it listens elsewhere than on loopback without `DARKROOM_ACCESS`.
    """
    config = getattr(getattr(receive, "__self__", None), "config", None)
    if not isinstance(config, Config):
        raise UnboundedServerError(
            "The gateway needs uvicorn, which bounds connections and headers. Start it by"
            " `faststream run` or `uvicorn`, without `--log-level trace`."
        )
    if config.http_protocol_class is not HttpToolsProtocol:
        raise UnboundedServerError(
            "The gateway bounds connections and headers with httptools. Start it without"
            f" `--http {config.http}`, or install httptools."
        )
    if config.ws_protocol_class not in (None, WebSocketsSansIOProtocol):
        raise UnboundedServerError(
            "The gateway bounds WebSockets with the package websockets. Start it without"
            f" `--ws {config.ws}`, or install websockets."
        )
    if settings.access is None and _is_exposed(config):
        raise ExposedServerError(ADVICE)
    _allow_files(_FILES_PER_CONNECTION * settings.max_connections + _OTHER_FILES)
    _leave_proxies_to_us(config)
    is_exempt = TrustedProxies(settings.proxies).trusts
    connections = Connections(
        settings,
        metrics,
        is_exempt=is_exempt,
        at_once=at_once,
        keep_alive=config.timeout_keep_alive,
        shutdown=shutdown,
    )
    config.http_protocol_class = cast(Any, partial(AnsweringProtocol, connections))
    if config.ws_protocol_class is not None:
        config.ws_protocol_class = cast(
            Any, partial(BoundedWebSocket, settings.max_live_frames, settings.header_timeout)
        )
        config.ws_max_size = min(config.ws_max_size, MAX_MESSAGE)
        # An event has 180 bytes. Compressing it would take 4 us in place of 1, and 32 KiB of memory
        # for each connection.
        config.ws_per_message_deflate = False
    if config.timeout_graceful_shutdown is None:
        config.timeout_graceful_shutdown = math.ceil(settings.graceful_timeout)


def _is_exposed(config: Config) -> bool:
    """Return whether other hosts reach the address that uvicorn was told to listen at.

    A server that is given open sockets tells nothing of them; `Exposure` sees their addresses.
    """
    if config.uds is not None:
        return False
    if config.fd is None:
        return not is_loopback(config.host)
    with socket.socket(fileno=os.dup(config.fd)) as listening:
        return listening.family != socket.AF_UNIX and not is_loopback(listening.getsockname()[0])


def _leave_proxies_to_us(config: Config) -> None:
    """Take away uvicorn's own reading of `X-Forwarded-For`: `ProxyMiddleware` reads it."""
    app = config.loaded_app
    if isinstance(app, ProxyHeadersMiddleware):
        config.loaded_app = app.app
    if config.forwarded_allow_ips != _UVICORNS_PROXIES:
        log.warning("setting ignored", name="FORWARDED_ALLOW_IPS", instead="DARKROOM_PROXIES")


def _allow_files(needed: int) -> None:
    """Raise the limit of open files if it is lower than `needed`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UnboundedServerError(
            f"DARKROOM_MAX_CONNECTIONS needs {needed} open files, and this process may open"
            f" {hard}. Lower the setting, or raise the limit (`ulimit -n`)."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))

"""The parts in front of the routes, which every request passes, from outside inwards.

1. `SlowReaderMiddleware` cuts clients that do not take their answers.
2. `ProxyMiddleware` reads what trusted proxies say; all others see the client's own request.
3. `CorrelationMiddleware` gives the request its id, for every log line and answer from here on.
4. `TraceMiddleware` opens the request's span.
5. `UnreadBodyMiddleware` reads the rest of a body that was answered before its end.
6. `HostMiddleware` and `OriginMiddleware` refuse what pages of other sites send.
7. `AccessMiddleware` finds the caller, and refuses what the caller may not do.
8. `PresetMiddleware` replaces a preset by its pipeline.
9. `LimitsMiddleware` counts the call.
10. `DeliveryMiddleware` answers from memory, or keeps the answer of the routes.

The connection asks `AnswersAtOnce` before all of these. It is made of the same objects. If none of
them would refuse a request, change it in an unknown way, or wait, it answers the request from
memory, or passes it to the last of the parts. A request for a job whose whole body is there goes to
its route.
"""

from collections.abc import Collection
from dataclasses import dataclass

from starlette.types import ASGIApp

from services.gateway.access.anonymous import AnonymousAccess
from services.gateway.access.exposure import Exposure
from services.gateway.access.identifiers import BearerKeys, SessionCookies
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.limits.limiter import Limiter
from services.gateway.access.limits.middleware import LimitsMiddleware
from services.gateway.access.middleware import AccessMiddleware
from services.gateway.access.presets.middleware import PresetMiddleware
from services.gateway.access.rules import Rules
from services.gateway.delivery.delivery import Delivery
from services.gateway.http.openapi_document import READABLE_HEADERS
from services.gateway.http.problems import refusal
from services.gateway.middleware.correlation import CorrelationMiddleware
from services.gateway.middleware.hosts import HostMiddleware
from services.gateway.middleware.origins import OriginMiddleware
from services.gateway.middleware.proxies import ProxyMiddleware, TrustedProxies
from services.gateway.middleware.slow_readers import SlowReaderMiddleware
from services.gateway.middleware.tracing import TraceMiddleware
from services.gateway.middleware.unread_body import UnreadBodyMiddleware
from services.gateway.server.at_once import AnswersAtOnce, TakesBodies
from services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Front:
    """The application with everything in front of it, and the short way past all of that."""

    app: ASGIApp
    at_once: AnswersAtOnce
    readers: SlowReaderMiddleware
    """The check of slow readers, which starts and stops with the application."""


def make_front(
    routes: ASGIApp,
    settings: GatewaySettings,
    *,
    delivery: Delivery,
    limiter: Limiter,
    anonymous: AnonymousAccess,
    keyring: Keyring,
    exposure: Exposure,
    methods: Collection[str],
    bodies: TakesBodies,
) -> Front:
    """Put all parts in front of the routes, which answer to `methods`.

    `bodies` answers some requests as the routes do, once their whole body is there.
    """
    remembered = delivery.in_front_of(routes)
    limits = LimitsMiddleware(remembered, limiter, refuse=refusal)
    presets = PresetMiddleware(limits, anonymous.presets, refuse=refusal)
    by_key = (BearerKeys(keyring), SessionCookies(keyring))
    access = AccessMiddleware(
        presets,
        rules=Rules(settings.public_pages),
        keyring=keyring,
        identifiers=anonymous.identifiers(by_key),
        by_key=by_key,
        exposure=exposure,
        is_open=settings.access != "keys",
    )
    origins = OriginMiddleware(
        access, settings.origins, methods=methods, exposed=READABLE_HEADERS, refuse=refusal
    )
    hosts = HostMiddleware(origins, settings.hosts, refuse=refusal)
    traced = TraceMiddleware(UnreadBodyMiddleware(hosts, seconds=settings.linger))
    proxies = ProxyMiddleware(
        CorrelationMiddleware(traced), TrustedProxies(settings.proxies), settings.root_path
    )
    readers = SlowReaderMiddleware(
        proxies, patience=settings.reader_patience, rate=settings.reader_rate
    )
    at_once = AnswersAtOnce(
        readers=readers,
        proxies=proxies,
        hosts=hosts,
        origins=origins,
        access=access,
        presets=presets,
        limits=limits,
        delivery=remembered,
        bodies=bodies,
    )
    return Front(readers, at_once, readers)

"""Answers that need no wait: from memory, for a request that every check lets pass at once.

Each part in front of the routes is an ASGI application (`front.py`). Together they cost more than
an answer from memory, with a task and coroutines of the server. Here the same parts are asked
without any of them. Whatever is not plain goes the ordinary way, from its begin: a refusal, a key
that is not known yet, a trace, a limit that has to be asked for, an answer that is not there.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from starlette.types import Scope

from contracts.errors import ServiceError
from services.gateway.access.caller import set_caller
from services.gateway.access.limits.middleware import LimitsMiddleware
from services.gateway.access.middleware import AccessMiddleware, private_fields
from services.gateway.access.presets.middleware import PresetMiddleware
from services.gateway.delivery.cache import Headers
from services.gateway.delivery.middleware import DeliveryMiddleware
from services.gateway.middleware.correlation import HEADER, id_of
from services.gateway.middleware.fields import Field
from services.gateway.middleware.hosts import HostMiddleware
from services.gateway.middleware.origins import OriginMiddleware
from services.gateway.middleware.prefix import with_addresses
from services.gateway.middleware.proxies import ProxyMiddleware
from services.gateway.middleware.slow_readers import SlowReaderMiddleware
from services.gateway.middleware.tracing import is_traced

_AGE_AND_ID = f"age: %d\r\n{HEADER.lower()}: %b\r\n".encode()


class WholeAnswer(NamedTuple):
    """An answer that is there as a whole."""

    status: int
    lines: bytes
    """The lines of its header, but for those that uvicorn adds to every answer."""
    body: bytes


AtOnce = Callable[[Scope, asyncio.WriteTransport], WholeAnswer | None]
"""Returns the whole answer to a request of a connection; None for one that the application answers.

A scope that it has got is unchanged.
"""


def nothing(scope: Scope, transport: asyncio.WriteTransport) -> WholeAnswer | None:
    """Leave every request to the application."""
    return None


@dataclass(frozen=True, slots=True)
class AnswersAtOnce:
    """Gives small answers from memory by the checks of these parts, in their order."""

    readers: SlowReaderMiddleware
    proxies: ProxyMiddleware
    hosts: HostMiddleware
    origins: OriginMiddleware
    access: AccessMiddleware
    presets: PresetMiddleware
    limits: LimitsMiddleware
    delivery: DeliveryMiddleware

    def __call__(self, request: Scope, transport: asyncio.WriteTransport) -> WholeAnswer | None:
        """Return the answer to a request, which counts as given; see `AtOnce`."""
        scope = {**request}
        prefix = self.proxies.take(scope)
        if not self.delivery.may_have(scope):
            return None
        if is_traced(scope) or not self.hosts.accepts(scope):
            return None
        caller = self.access.admit_at_once(scope)
        if caller is None:
            return None
        set_caller(scope, caller)
        try:
            self.presets.expand(scope)
        except ServiceError:
            return None
        hit = self.delivery.find_at_once(scope)
        if hit is None:
            return None
        account = self.limits.account_of(scope)
        if account is not None and not account.take_leased_call():
            return None
        self.readers.count(transport, len(hit.body))
        reader = self.origins.reader_of(scope)

        def write(headers: Headers) -> bytes:
            fields = headers if caller.shared else private_fields(headers)
            fields = self.origins.permit(fields, reader)
            return lines_of(with_addresses(fields, prefix) if prefix else fields)

        lines = self.delivery.take(hit, (hit.unchanged, caller.shared, reader, prefix), write)
        if account is not None:
            lines += lines_of(account.fields())
        lines += _AGE_AND_ID % (hit.age, id_of(scope["headers"]).encode())
        return WholeAnswer(304 if hit.unchanged else 200, lines, hit.body)


def lines_of(fields: Iterable[Field]) -> bytes:
    """Return header fields as the lines of an HTTP message."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])

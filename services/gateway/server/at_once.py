"""The checks of a much-used request, without a wait, and its answer from memory.

Each part in front of the routes is an ASGI application (`front.py`). Together they cost more than
an answer from memory, with a task and coroutines of the server. Here the same parts are asked
without any of them. If all let the request pass, its answer is in memory, or the routes make it
without the parts in front of them. Whatever is not plain goes the ordinary way, from its begin: a
refusal, a key that is not known yet, a trace, a limit that has to be asked for, a body.

A request for a job is answered without the parts in front of the routes as well, if its whole body
has arrived with its head.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.access.keys import KeyScope
from contracts.errors import ServiceError
from services.gateway.access.caller import Caller, set_caller
from services.gateway.access.limits.middleware import LimitsMiddleware
from services.gateway.access.middleware import AccessMiddleware, private_fields
from services.gateway.access.presets.middleware import PresetMiddleware
from services.gateway.access.rules import Rule
from services.gateway.access.signatures import ANONYMOUS_SCOPES
from services.gateway.delivery.cache import Headers
from services.gateway.delivery.middleware import DeliveryMiddleware, Hit
from services.gateway.delivery.question import Terms, may_be_kept, terms_of
from services.gateway.middleware.correlation import FIELD, given_id, id_of
from services.gateway.middleware.fields import Field
from services.gateway.middleware.hosts import HostMiddleware
from services.gateway.middleware.origins import OriginMiddleware
from services.gateway.middleware.prefix import with_addresses
from services.gateway.middleware.proxies import ProxyMiddleware
from services.gateway.middleware.slow_readers import SlowReaderMiddleware
from services.gateway.middleware.tracing import names_trace
from services.gateway.middleware.unread_body import announces_body
from services.gateway.server.whole_answers import WholeAnswer, lines_of, whole_answer
from services.runtime.messaging.envelope import new_correlation_id
from services.runtime.telemetry.tracing import has_sdk

_AGE_AND_ID = b"age: %%d\r\n%b: %%b\r\n" % FIELD
_WITH_BODY = frozenset({KeyScope.JOBS})


Again = Callable[[asyncio.WriteTransport], WholeAnswer | None]
"""Answers a request whose head was read before, over the connection; None as for `AtOnce`."""

Write = Callable[[WholeAnswer], bool]
"""Writes a whole answer; returns False if it has to be sent in the ordinary way."""


class Admitted(NamedTuple):
    """A request that every check has let pass, and whose answer is not there."""

    scope: Scope
    """Its scope, as the checks have left it."""
    app: Callable[[Write, Scope, Receive, Send], Awaitable[None]]
    """Answers it without the checks: a small answer by `Write`, and others by `Send`."""


OnceRead = Callable[[], Admitted | None]
"""Checks a request once its whole body is there, so that no read of it waits; None as `AtOnce`."""


class TakesBodies(Protocol):
    """The application for requests whose whole body is there."""

    def takes(self, scope: Scope) -> bool:
        """Return whether a request, whose body may not be there yet, is one of these."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer such a request."""


class AtOnce(Protocol):
    """Answers that a connection asks for before the application."""

    def __call__(
        self, request: Scope, transport: asyncio.WriteTransport
    ) -> WholeAnswer | Admitted | OnceRead | None:
        """Return the whole answer to a request of a connection, or what answers it.

        None stands for the application, with all parts in front of the routes. A scope that it
        has got is unchanged.
        """

    def remember(self, request: Scope) -> Again | None:
        """Return what answers further requests with the head of this one, of any client.

        They come over connections to the same address, by the same scheme, and from a trusted
        proxy if and only if this one does.
        """


_Head = tuple[str, Rule, str | None, Terms | None, str]
"""Facts that the head of a request states, whoever sends it and whenever.

The prefix, the rule, the origin whose pages may read the answer, what it says of the answer (None
if none from memory will do), and the client's own id (empty without one). Named fields would take
some percent of an answer.
"""


@dataclass(frozen=True, slots=True)
class AnswersAtOnce:
    """Gives small answers from memory by the checks of these parts, in their order.

    Requests that pass them, and whose answers are not there, go on to the last of the parts, and
    requests for jobs to `bodies`.

    What a check finds in the head of a request alone is read once for all requests with the same
    head. Whatever can change is asked for each request: keys, signatures, presets, limits, traces
    of this process, and the memory.
    """

    readers: SlowReaderMiddleware
    proxies: ProxyMiddleware
    hosts: HostMiddleware
    origins: OriginMiddleware
    access: AccessMiddleware
    presets: PresetMiddleware
    limits: LimitsMiddleware
    delivery: DeliveryMiddleware
    bodies: TakesBodies

    def __call__(
        self, request: Scope, transport: asyncio.WriteTransport
    ) -> WholeAnswer | Admitted | OnceRead | None:
        """Return the answer to a request, which counts as given; see `AtOnce`."""
        if request["method"] == "POST":
            return self._check_once_read(request, transport)
        if not may_be_kept(request):
            return None
        scope = {**request}
        head = self._read(scope)
        caller = None if head is None else self._admit(head, scope)
        if head is None or caller is None:
            return None
        terms = head[3]
        hit = None if terms is None else self.delivery.find_at_once(terms, scope)
        if hit is not None:
            return self._give(hit, head, caller, scope, transport)
        if self.limits.account_of(scope) is not None or announces_body(scope):
            return None
        return Admitted(scope, partial(self._answer, self.delivery, transport, caller, head[0]))

    def _check_once_read(
        self, request: Scope, transport: asyncio.WriteTransport
    ) -> OnceRead | None:
        """Return the checks of a request with a body; None for the ordinary way."""
        scope = {**request}
        prefix = self.proxies.take(scope)
        if not self.bodies.takes(scope) or names_trace(scope) or has_sdk():
            return None
        return partial(self._admit_with_body, scope, prefix, transport)

    def _admit_with_body(
        self, scope: Scope, prefix: str, transport: asyncio.WriteTransport
    ) -> Admitted | None:
        """Return a request with a body if every check lets it pass; None for the ordinary way."""
        if not (self.hosts.accepts(scope) and self.origins.may_change(scope)):
            return None
        rule = self.access.rule_among(_WITH_BODY, scope)
        caller = None if rule is None else self.access.admit_at_once(scope, rule)
        if caller is None:
            return None
        set_caller(scope, caller)
        if self.limits.account_of(scope) is not None:
            return None
        return Admitted(scope, partial(self._answer, self.bodies, transport, caller, prefix))

    def remember(self, request: Scope) -> Again | None:
        """Return what answers the next requests with the head of this one; see `AtOnce`."""
        scope = {**request}
        head = self._read(scope) if may_be_kept(request) else None
        if head is None:
            return None
        # No check may take this client for the next one.
        del scope["client"]
        return partial(self._answer_again, head, scope)

    def _answer_again(
        self, head: _Head, read: Scope, transport: asyncio.WriteTransport
    ) -> WholeAnswer | None:
        scope = {**read}
        caller = self._admit(head, scope)
        terms = head[3]
        if caller is None or terms is None:
            return None
        hit = self.delivery.find_at_once(terms, scope)
        return None if hit is None else self._give(hit, head, caller, scope, transport)

    def _read(self, scope: Scope) -> _Head | None:
        """Read the head of a request, and change its scope by what trusted proxies say.

        Returns None for a request that has to go the ordinary way.
        """
        prefix = self.proxies.take(scope)
        if names_trace(scope) or not self.hosts.accepts(scope):
            return None
        rule = self.access.rule_among(ANONYMOUS_SCOPES, scope)
        if rule is None:
            return None
        fields = scope["headers"]
        reader = self.origins.reader_of(scope)
        return prefix, rule, reader, terms_of(fields), given_id(fields)

    def _admit(self, head: _Head, scope: Scope) -> Caller | None:
        """Return the caller of a request, and expand its query; None for the ordinary way."""
        caller = None if has_sdk() else self.access.admit_at_once(scope, head[1])
        if caller is None:
            return None
        set_caller(scope, caller)
        try:
            self.presets.expand(scope)
        except ServiceError:
            return None
        return caller

    def _give(
        self,
        hit: Hit,
        head: _Head,
        caller: Caller,
        scope: Scope,
        transport: asyncio.WriteTransport,
    ) -> WholeAnswer | None:
        """Return an answer from memory, which counts as given; None if a limit has to be asked."""
        account = self.limits.account_of(scope)
        if account is not None and not account.take_leased_call():
            return None
        self.readers.count(transport, len(hit.body))
        prefix, _, reader, _, given = head
        form = hit.unchanged, caller.shared, reader, prefix
        lines = self.delivery.take(hit, form)
        if lines is None:
            fields = self._fields(hit.headers, caller, reader, prefix)
            lines = self.delivery.remember_lines(hit, form, lines_of(fields))
        if account is not None:
            lines += lines_of(account.fields())
        lines += _AGE_AND_ID % (hit.age, (given or new_correlation_id()).encode())
        return WholeAnswer(304 if hit.unchanged else 200, lines, hit.body)

    async def _answer(
        self,
        app: ASGIApp,
        transport: asyncio.WriteTransport,
        caller: Caller,
        prefix: str,
        write: Write,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Have `app` answer a request that was admitted; do to the answer what all parts do."""
        bound, reader = id_of(scope["headers"]), self.origins.reader_of(scope)
        # The task of the request has a context of its own.
        structlog.contextvars.bind_contextvars(correlation_id=bound)
        start: Message | None = None

        async def send_on(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                fields = self._fields(message["headers"], caller, reader, prefix)
                message["headers"] = [*fields, (FIELD, bound.encode())]
                # With the first bytes of its body it takes one write, and the client wakes once.
                start = message
                return
            if body := message.get("body"):
                self.readers.count(transport, len(body))
            if start is not None:
                head, start = start, None
                whole = whole_answer(head, message) if scope["method"] != "HEAD" else None
                if whole is not None and write(whole):
                    return
                await send(head)
            await send(message)

        await app(scope, receive, send_on)

    def _fields(
        self, headers: Headers, caller: Caller, reader: str | None, prefix: str
    ) -> Iterable[Field]:
        """Return the header of an answer as the parts leave it; its id comes on top."""
        fields = headers if caller.shared else private_fields(headers)
        fields = self.origins.permit(fields, reader)
        return with_addresses(fields, prefix) if prefix else fields

"""uvicorn's protocol for HTTP that answers at once what is there, and makes tasks for the rest."""

import asyncio
from collections.abc import Callable
from functools import partial
from random import getrandbits
from typing import Any, TypeVar, cast

import structlog
from starlette.types import Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from services.gateway.server.at_once import Admitted, Again, OnceRead
from services.gateway.server.connections import Connections
from services.gateway.server.heads import Arrival
from services.gateway.server.protocol import MAX_PIPELINED, BoundedProtocol
from services.gateway.server.whole_answers import WholeAnswer

log = structlog.get_logger(__name__)

FoundT = TypeVar("FoundT")

_RARELY = 3  # bits: one of eight heads is looked at, as most never come again


def _nothing() -> None:
    """Nothing follows the end of an answer."""


class AnsweringProtocol(BoundedProtocol):
    """Writes answers that are there without a task, in the order of the requests."""

    def __init__(self, connections: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(connections, *args, **kwargs)
        self._at_once = connections.at_once
        self._heads = connections.heads
        self._arrival: Arrival | None = None
        self._in_a_row = 0  # answers at once to requests that arrived together

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._arrival = Arrival(self._bounds.trusts(self.address), self.server, self.scheme)

    def data_received(self, data: bytes) -> None:
        again = self._heads.find(data, self._arrival)
        if again is not None and self._is_between_requests() and self._answer_again(again):
            return
        looks = not getrandbits(_RARELY) and self._is_between_requests()
        self._in_a_row = 0
        super().data_received(data)
        if looks and self._is_between_requests():
            # Every request in these bytes was answered at once, and came to its end.
            self._heads.note(data, self._arrival, cast(Any, self.scope))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Answer at once what needs no wait, or make a task for the application's answer."""
        if self._bounds.shutdown.began and cycle is self.cycle:
            cycle.keep_alive = False  # uvicorn misses a connection accepted while it stops
        found = None
        if app is self.app and self._may_answer_at_once(cycle):
            found = self._asked(partial(self._at_once, cast(Any, cycle.scope), self.transport))
        if isinstance(found, WholeAnswer):
            self._in_a_row += 1
            self._write_whole(cycle, found)
            return
        if isinstance(found, Admitted):
            cycle.scope = cast(Any, found.scope)
            app = cast(Any, partial(found.app, partial(self._write_later, cycle)))
        elif found is not None:
            app = cast(Any, partial(self._answer_once_read, cycle, found))
        super()._start_asgi_task(cycle, app)

    async def _answer_once_read(
        self,
        cycle: RequestResponseCycle,
        check: OnceRead,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer a request whose body has arrived by now; leave another one to the application."""
        found = None if cycle.more_body else self._asked(check)
        if found is None:
            await cast(Any, self.app)(scope, receive, send)
        else:
            await found.app(partial(self._write_later, cycle), found.scope, receive, send)

    def _may_answer_at_once(self, cycle: RequestResponseCycle) -> bool:
        """Return whether an answer can be written now, and nothing but the next request follows."""
        return (
            cycle is self.cycle
            and cycle.keep_alive
            and self._answer is None
            and self._in_a_row < MAX_PIPELINED  # then those of other connections have their turn
            and not (
                self.flow.write_paused
                or cycle.waiting_for_100_continue
                or self.parser.should_upgrade()
                or self.transport.is_closing()
            )
        )

    def _asked(self, find: Callable[[], FoundT]) -> FoundT | None:
        """Return what is found; None after a bug."""
        try:
            return find()
        except Exception as exc:
            # A bug there ends neither the connection nor the request.
            log.error("not answered at once", exc_info=exc)
            return None

    def _write_later(self, cycle: RequestResponseCycle, answer: WholeAnswer) -> bool:
        """Write the answer of a task; return False where uvicorn has more to do than to write."""
        left = cycle.disconnected or self.transport.is_closing()
        if left or self.flow.write_paused or not cycle.keep_alive:
            return False
        self._write_whole(cycle, answer)
        cycle.message_event.set()  # for a task that waits for the client to disconnect
        return True

    def _write_whole(self, cycle: RequestResponseCycle, answer: WholeAnswer) -> None:
        self._write(answer)
        cycle.response_started = cycle.response_complete = True
        cycle.on_response = _nothing  # as uvicorn's: the connection and its cycle would be garbage
        self.on_response_complete()

    def _write(self, answer: WholeAnswer) -> None:
        server = self._bounds.server_lines(self.server_state.default_headers)
        head = b"%b%b%b\r\n" % (STATUS_LINE[answer.status], server, answer.lines)
        # `writelines` does not pause a protocol in Python up to 3.12.8 and 3.13.1 (CVE-2024-12254).
        self.transport.write(head + answer.body)

    def _answer_again(self, again: Again) -> bool:
        """Answer a request whose head was read before; return False where it is not that simple.

        It is the only one of its connection. The parser has seen nothing of it.
        """
        if (
            self.flow.write_paused
            or self.limit_concurrency is not None  # uvicorn's option, which may refuse it
            or self._bounds.shutdown.began
            or self.transport.is_closing()
        ):
            return False
        try:
            answer = again(self.transport)
        except Exception as exc:
            log.error("not answered again", exc_info=exc)
            return False
        if answer is None:
            return False
        self._write(answer)
        self.server_state.total_requests += 1
        del self._waiting[self]
        self._wait()
        return True

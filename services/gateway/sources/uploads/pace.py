"""The pace of a request body: the rate that it has to keep, and the time that it may take."""

import asyncio
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from contracts.errors import Overloaded
from services.gateway.settings import GatewaySettings

_GIVES_WAY_AFTER = 1.0  # seconds of waiting in a period: a shorter wait proves no slow client


class Pace:
    """Time limits of one body. Only the time counts in which the gateway waits for the client.

    Each period of `body_patience` seconds has to bring `body_rate` bytes for each of its seconds,
    or the end of the body. All periods together may take `body_timeout` seconds.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._patience = settings.body_patience
        self._quota = settings.body_rate * settings.body_patience
        self._left = settings.body_timeout
        self._waited = 0.0  # seconds of this period, without the wait in progress
        self._arrived = 0  # bytes of this period
        self._since = 0.0
        self._wait: asyncio.Timeout | None = None  # the wait in progress
        self._gives_way = False

    async def receive(self, receive: Receive) -> Message:
        """Return the next message of the body.

        Raises HTTPException (408) for a body that is too slow, and Overloaded after `give_way`.
        """
        self._since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._patience - self._waited, self._left)) as wait:
                self._wait = wait
                message = await receive()
        except TimeoutError as exc:
            if not self._gives_way:
                detail = "The body arrived too slowly, or stopped before its end."
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail) from exc
        finally:
            self._wait = None
        if self._gives_way:
            raise Overloaded(
                "Too many uploads at once, and this one was the slowest; try again soon.",
                retry_after=2,
            )
        self._count(len(message.get("body", b"")))
        return message

    def rate(self) -> float | None:
        """Return the bytes a second of this period; None if the gateway hardly waits for them."""
        if self._wait is None or self._gives_way:
            return None
        waited = self._waited + self._wait_in_progress()
        return self._arrived / waited if waited >= _GIVES_WAY_AFTER else None

    def give_way(self) -> None:
        """End the wait in progress: others need the memory of this body."""
        self._gives_way = True
        if self._wait is not None:
            self._wait.reschedule(asyncio.get_running_loop().time())

    def _wait_in_progress(self) -> float:
        return asyncio.get_running_loop().time() - self._since

    def _count(self, size: int) -> None:
        waited = self._wait_in_progress()
        self._left -= waited
        self._waited += waited
        self._arrived += size
        if self._arrived >= self._quota:
            self._waited, self._arrived = 0.0, 0

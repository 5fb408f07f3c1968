"""Claims of renditions: of all workers that are asked for one, one renders it.

A claim is a key in Redis that ends within `LIFE` seconds unless its owner renews it, so it ends
soon after its owner. The others wait for the message that ends it, and look at it meanwhile.
"""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from contracts.control import CONTROL, RenderEnded
from contracts.errors import Code, Failure, ServiceError
from contracts.retries import REPLAYABLE
from services.runtime.messaging.envelope import pack_message
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import load_script
from services.runtime.rpc.broker import Broker

LIFE = 3.0
"""Seconds of a claim after its last renewal."""

_RENEWAL = 1.0  # seconds between two renewals
_LOOK = 0.5  # seconds between two looks at a claim: the message of its end may get lost
_AWAITED = "+"  # ends the value of a claim that another worker waits for

_AWAIT = load_script(
    __package__, "await_render", when_full=True, AWAITED=_AWAITED, LIFE=int(LIFE * 1000)
)
_END = load_script(__package__, "end_render", when_full=True, AWAITED=_AWAITED)

_OWN = REPLAYABLE | {Code.GONE, Code.NOT_FOUND}
"""Codes of failures that another worker, or another look at the images, may not meet."""


class ClaimedElsewhere(Exception):
    """Another worker renders the same."""


class RenderClaims:
    """Claims renditions in the name of a worker, and waits for those that others have claimed."""

    def __init__(self, broker: Broker) -> None:
        self.redis: RedisClient = broker.redis
        self.worker = broker.worker
        self._waiting: defaultdict[str, set[asyncio.Future[Failure | None]]] = defaultdict(set)
        broker.on_control(RenderEnded, self._on_end)

    def claim(self, rendition: str) -> "Claim":
        """Return a claim, for use as a context; Redis is asked for it when the context begins."""
        return Claim(self, rendition)

    async def wait(self, rendition: str) -> Failure | None:
        """Return when nobody claims a rendition any more. Raises RedisError.

        A failure is that of the request or of its image, so another render would fail, too.
        """
        ended: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        self._waiting[rendition].add(ended)
        try:
            while await self.redis.script(_AWAIT, [keys.render_claim(rendition)]):
                await asyncio.wait([ended], timeout=_LOOK)
                if ended.done():
                    return ended.result()
            return None
        finally:
            self._waiting[rendition].discard(ended)
            if not self._waiting[rendition]:
                del self._waiting[rendition]

    def _on_end(self, end: RenderEnded) -> None:
        for ended in self._waiting.get(end.rendition, ()):
            if not ended.done():
                ended.set_result(end.failure)


class Claim:
    """The claim of one rendition, which is given up when the context ends.

    Publishes RenderEnded then if another worker waits.
    """

    def __init__(self, claims: RenderClaims, rendition: str) -> None:
        self._redis, self._worker, self._rendition = claims.redis, claims.worker, rendition
        self._name = keys.render_claim(rendition)
        self._renewal: asyncio.TimerHandle | None = None
        self._refused = False
        self._failure: Failure | None = None

    def __enter__(self) -> Self:
        """Ask for the claim. Raises RedisError for a client that can send nothing."""
        life = int(LIFE * 1000)
        self._answer = self._redis.send("SET", self._name, self._worker, "NX", "PX", life)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        self._answer.cancel()
        if not self._refused:
            self._failure = exc.failure() if isinstance(exc, ServiceError) else None
            self._redis.script_soon(_END, [self._name], [self._worker], self._on_given_up)

    async def taken(self) -> None:
        """Return when this worker has the claim, and renew it from then on.

        Raises ClaimedElsewhere, and RedisError.

        A store that is full takes no claims: then each worker renders for itself.
        """
        try:
            answer = await self._answer
        except FULL:
            # The key may be there, of a worker that has died: it has to end.
            self._refused = True
            return
        if answer is None:
            self._refused = True
            raise ClaimedElsewhere
        self._renew_later()

    def _renew_later(self) -> None:
        self._renewal = asyncio.get_running_loop().call_later(_RENEWAL, self._renew)

    def _renew(self) -> None:
        # This worker may have stood still for so long that another one has the claim. Should that
        # one die, its claim ends soon after this render.
        self._redis.send_soon(_ignore, "PEXPIRE", self._name, int(LIFE * 1000))
        self._renew_later()

    def _on_given_up(self, awaited: Any) -> None:
        if awaited == 1:
            shared = self._failure is not None and self._failure.code not in _OWN
            end = RenderEnded(rendition=self._rendition, failure=self._failure if shared else None)
            data = pack_message(end, uuid4().hex)
            self._redis.send_soon(_ignore, "PUBLISH", CONTROL, data)


def _ignore(reply: Any) -> None:
    """Let a command get lost: the next renewal, or the next look of a waiter, makes up for it."""

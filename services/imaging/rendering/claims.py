"""Claims of renditions: of all workers that are asked for one, one renders it.

A claim is a key in Redis that ends within `LIFE` seconds unless its owner renews it, so it ends
soon after its owner. The others wait for the message that ends it, and look at it meanwhile.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from contracts.control import CONTROL, RenderEnded
from contracts.errors import Code, Failure, ServiceError
from contracts.imaging import Render
from contracts.retries import REPLAYABLE
from services.runtime.messaging.envelope import new_correlation_id, pack_message
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import load_script
from services.runtime.rpc.broker import Broker
from services.runtime.storage.records import Judged
from services.runtime.storage.render_claims import (
    AWAITED,
    END,
    OFFER_LIFE,
    Held,
    image_in,
    owner_in,
)

LIFE = 3.0
"""Seconds of a claim after its last renewal."""

_RENEWAL = 1.0  # seconds between two renewals
_LOOK = 0.5  # seconds between two looks at a claim: the message of its end may get lost
_TAKE_OVER = 0.25  # seconds from the start of a render to the first renewal of an offered claim
_OFFERED = OFFER_LIFE - 2 * _TAKE_OVER  # seconds in which a claim that is offered may be taken over

_AWAIT = load_script(
    __package__, "await_render", when_full=True, AWAITED=AWAITED, LIFE=int(LIFE * 1000)
)

_OWN = REPLAYABLE | {Code.GONE, Code.NOT_FOUND}
"""Codes of failures that another worker, or another look at the images, may not meet."""


class ClaimedElsewhere(Exception):
    """Another worker renders the same."""


class RenderClaims:
    """Claims renditions in the name of a worker, and waits for those that others have claimed."""

    def __init__(self, broker: Broker) -> None:
        self.redis: RedisClient = broker.redis
        self.worker = broker.worker
        self._clock = broker.clock
        self._waiting: defaultdict[str, set[asyncio.Future[Failure | None]]] = defaultdict(set)
        broker.on_control(RenderEnded, self._on_end)

    def claim(self, rendition: str, offer: "Offer | None" = None) -> "Claim":
        """Return a claim, for use as a context: the one of an open offer, or a new one.

        Redis is asked for a new one when the context begins.
        """
        return Claim(self, rendition, offer if offer and offer.open else None)

    def offer_of(
        self, request: Render, entry: str, fields: Mapping[bytes, bytes]
    ) -> "Offer | None":
        """Return the claim that came with a request, if it surely lasts until it is taken over.

        `entry` is the id of the stream's entry that held the request.
        """
        owner = owner_in(fields)
        age = self._clock.now() - int(entry.partition("-")[0]) / 1000
        if owner is None or age > _OFFERED:
            return None
        image = Judged(image_in(fields, request.source), verdict=None)
        return Offer(self, request.result_key(), owner, image)

    def end(self, rendition: str, owner: str, failure: Failure | None) -> None:
        """Give a claim up, and tell another worker that waits for it."""

        def on_end(awaited: Any) -> None:
            if awaited == 1:
                self.tell(rendition, failure)

        self.redis.script_soon(END, [keys.render_claim(rendition)], [owner], on_end)

    def tell(self, rendition: str, failure: Failure | None) -> None:
        """Tell the workers that wait for a rendition that its claim has ended."""
        shared = failure is not None and failure.code not in _OWN
        end = RenderEnded(rendition=rendition, failure=failure if shared else None)
        self.redis.send_soon(_ignore, "PUBLISH", CONTROL, pack_message(end, new_correlation_id()))

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


class Offer:
    """A claim that a gateway's search has taken for a request, and the image that it has found.

    As a context, it gives the claim up at its end unless a render has taken it over.
    """

    def __init__(self, claims: RenderClaims, rendition: str, owner: str, image: Judged) -> None:
        self._claims, self._rendition = claims, rendition
        self.owner = owner
        self.image = image
        self.open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.give_up()

    def give_up(self) -> None:
        """Give the claim up, unless that was done or a render has taken it over."""
        if self.open:
            self.open = False
            self._claims.end(self._rendition, self.owner, None)


class Claim:
    """The claim of one rendition, which is given up when the context ends.

    Publishes RenderEnded then if another worker waits.
    """

    def __init__(self, claims: RenderClaims, rendition: str, offer: Offer | None = None) -> None:
        self._claims, self._rendition = claims, rendition
        self._redis = claims.redis
        self._name = keys.render_claim(rendition)
        self._owner = offer.owner if offer else claims.worker
        self._offer = offer
        self._renewal: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._ended = False

    @property
    def image(self) -> Judged | None:
        """The source of the render, if a search has found it and has missed the rendition."""
        return self._offer.image if self._offer else None

    @property
    def held(self) -> Held | None:
        """The claim, for the script that stores the rendition; None if it is another worker's."""
        return None if self._ended else Held(self._name, self._owner, self._on_stored)

    def __enter__(self) -> Self:
        """Ask for the claim. Raises RedisError for a client that can send nothing."""
        if self._offer is not None:
            self._offer.open = False
            self._renew_later(_TAKE_OVER)
            return self
        life = int(LIFE * 1000)
        self._answer = self._redis.send("SET", self._name, self._owner, "NX", "PX", life)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        if self._answer is not None:
            self._answer.cancel()
        if not self._ended:
            failure = exc.failure() if isinstance(exc, ServiceError) else None
            self._claims.end(self._rendition, self._owner, failure)

    async def taken(self) -> None:
        """Return when this worker has the claim, and renew it from then on.

        Raises ClaimedElsewhere, and RedisError.

        A store that is full takes no claims: then each worker renders for itself.
        """
        if self._answer is None:
            return
        try:
            answer = await self._answer
        except FULL:
            # The key may be there, of a worker that has died: it has to end.
            self._ended = True
            return
        if answer is None:
            self._ended = True
            raise ClaimedElsewhere
        self._renew_later(_RENEWAL)

    def _renew_later(self, seconds: float) -> None:
        self._renewal = asyncio.get_running_loop().call_later(seconds, self._renew)

    def _renew(self) -> None:
        # This worker may have stood still for so long that another one has the claim. Should that
        # one die, its claim ends soon after this render.
        self._redis.send_soon(_ignore, "PEXPIRE", self._name, int(LIFE * 1000))
        self._renew_later(_RENEWAL)

    def _on_stored(self, awaited: bool) -> None:
        self._ended = True
        if awaited:
            self._claims.tell(self._rendition, None)


def _ignore(reply: Any) -> None:
    """Let a command get lost: the next renewal, or the next look of a waiter, makes up for it."""

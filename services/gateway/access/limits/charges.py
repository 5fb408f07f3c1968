"""Charge renders to the account of the caller who wants them, before a worker is asked."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.types import Scope

from contracts.errors import NoWorkers, Overloaded, ServiceError, Unavailable
from contracts.imaging import Blob, Inspect, Inspected
from contracts.operations.pipeline import Pipeline
from services.gateway.access.limits.account import Account, Taken
from services.gateway.access.limits.cost import Picture, cost_of, picture_of
from services.gateway.access.limits.header import HEAD, size_of
from services.gateway.access.limits.limiter import account_of
from services.gateway.rpc import ImagingClient
from services.runtime.storage.images import Images

NOT_SERVED: tuple[type[ServiceError], ...] = (NoWorkers, Overloaded, Unavailable)
"""Failures of this service, after which nothing was rendered."""

_REMEMBERED = 4096  # images

DESCRIPTION = (Pipeline(),)
"""What a description of pixels costs: as much as the image itself."""


class Charge:
    """What one request has taken of its caller's account."""

    def __init__(self, account: Account, taken: Taken) -> None:
        self._account = account
        self._taken = taken

    def correct(self, pixels: int) -> None:
        """Have the request cost another number of pixels."""
        self._taken = self._account.correct(self._taken, pixels)

    def refund(self) -> None:
        """Have the request cost nothing: nothing was rendered for it."""
        self.correct(0)


class Charges:
    """Finds what renders cost, and charges them. Raises what `RedisClient` and `Images` raise."""

    def __init__(self, images: Images, imaging: ImagingClient, *, inspect_timeout: float) -> None:
        self._images = images
        self._imaging = imaging
        self._inspect_timeout = inspect_timeout
        # The bytes of an image never change, nor does what they are.
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

    @asynccontextmanager
    async def renders(
        self,
        scope: Scope,
        source: Blob,
        pipelines: Sequence[Pipeline],
        *,
        note: bytes = b"",
        free: tuple[type[ServiceError], ...] = NOT_SERVED,
    ) -> AsyncIterator[Charge | None]:
        """Charge renders of one image to the caller of a request; None for one without limits.

        `note` is the description in the image's record, if that was read. Of an image without one
        the header is read, and of one whose header says nothing the usual cost is taken, and
        corrected by a worker's description. After a failure that is one of `free`, the renders
        cost nothing. Raises RateLimited and QuotaExceeded.
        """
        account = account_of(scope)
        if account is None or not account.limits.counts_pixels:
            yield None
            return
        picture = await self._picture(source, note)
        charge = Charge(account, await account.take_pixels(cost_of(picture, pipelines)))
        try:
            if picture is None:
                # A failure is one of the render as well, which tells it to the client.
                with suppress(ServiceError):
                    charge.correct(cost_of(await self._inspected(source), pipelines))
            yield charge
        except free:
            charge.refund()
            raise

    async def _picture(self, source: Blob, note: bytes) -> Picture | None:
        """Return what an image is, from its record or its first bytes. Raises Gone."""
        if known := self._pictures.get(source.key):
            return known
        if not note and (stored := await self._images.find(source.key)):
            note = stored.note
        if note:
            return self._remember(source, picture_of(Inspected.model_validate_json(note)))
        stop = min(HEAD, source.bytes)
        head = b"".join([piece async for piece in self._images.read(source, 0, stop)])
        size = size_of(head)
        return None if size is None else self._remember(source, Picture(size))

    async def _inspected(self, source: Blob) -> Picture:
        """Return what a worker finds an image to be. Raises its failure."""
        call = Inspect(source=source)
        reply = await self._imaging.inspect(call, timeout=self._inspect_timeout)
        return self._remember(source, picture_of(reply.body))

    def _remember(self, source: Blob, picture: Picture) -> Picture:
        self._pictures[source.key] = picture
        if len(self._pictures) > _REMEMBERED:
            self._pictures.popitem(last=False)
        return picture

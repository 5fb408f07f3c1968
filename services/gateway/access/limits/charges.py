"""Charge renders to the account of the caller who wants them, before a worker is asked."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial

from starlette.types import Scope

from contracts.errors import NoWorkers, Overloaded, ServiceError, Unavailable
from contracts.fields import BlobKey
from contracts.imaging import Blob
from contracts.operations.pipeline import Pipeline
from services.gateway.access.caller import caller_of
from services.gateway.access.limits.account import Account, Taken
from services.gateway.access.limits.cost import Picture, cost_of
from services.gateway.access.limits.limiter import account_of
from services.gateway.access.limits.pictures import Pictures
from services.gateway.rpc import ImagingClient
from services.runtime.storage.images import Images

NOT_SERVED: tuple[type[ServiceError], ...] = (NoWorkers, Overloaded, Unavailable)
"""Failures of this service, after which nothing was rendered."""

DESCRIPTION = (Pipeline(),)
"""Cost of a description of pixels: as much as the image itself."""


class Charge:
    """The amount that one request has taken of its caller's account."""

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
        self._pictures = Pictures(images, imaging, inspect_timeout=inspect_timeout)

    def renders(
        self,
        scope: Scope,
        source: BlobKey,
        pipelines: Sequence[Pipeline],
        *,
        note: bytes = b"",
        free: tuple[type[ServiceError], ...] = NOT_SERVED,
    ) -> AbstractAsyncContextManager[Charge | None]:
        """Charge renders of one image to the caller of a request; None for one without limits.

        `note` is the description in the image's record, if that was read. Of images without one
        (the source, and those of watermarks) the header is read, and for one whose header says
        nothing the usual cost is taken, and corrected by a worker's description. After a failure
        that is one of `free`, the renders cost nothing. Raises RateLimited and QuotaExceeded.
        """
        account = account_of(scope)
        if account is None or is_free(scope):
            return nullcontext()
        project = caller_of(scope).project
        return self._charged(account, project, source, pipelines, note, free)

    @asynccontextmanager
    async def _charged(
        self,
        account: Account,
        project: str,
        source: BlobKey,
        pipelines: Sequence[Pipeline],
        note: bytes,
        free: tuple[type[ServiceError], ...],
    ) -> AsyncIterator[Charge]:
        watermarks = dict.fromkeys(key for pipeline in pipelines for key in pipeline.images)
        found = {key: await self._pictures.find(project, key) for key in watermarks}
        found[source] = await self._pictures.find(project, source, note)
        pictures = {key: one for key, one in found.items() if isinstance(one, Picture)}
        cost = partial(cost_of, pictures, source, pipelines)
        charge = Charge(account, await account.take_pixels(cost()))
        try:
            for blob in found.values():
                if isinstance(blob, Blob):
                    # A failure is one of the render as well, which tells it to the client.
                    with suppress(ServiceError):
                        pictures[blob.key] = await self._pictures.inspect(project, blob)
            charge.correct(cost())
            yield charge
        except free:
            charge.refund()
            raise


def is_free(scope: Scope) -> bool:
    """Return whether the caller of a request pays for no render."""
    account = account_of(scope)
    return account is None or not account.limits.counts_pixels

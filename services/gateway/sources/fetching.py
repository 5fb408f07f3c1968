"""One fetch of an original: by one gateway for all, from its source into the store."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import structlog

from contracts.errors import (
    ImageTooBig,
    ImageUnreadable,
    NotFound,
    Overloaded,
    ServiceError,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from services.gateway.sources.addresses import Address
from services.gateway.sources.breaker import LeftAlone
from services.gateway.sources.claims import Claims
from services.gateway.sources.download import Download, download
from services.gateway.sources.kinds.origin import Lifetime, Reply, Validators
from services.gateway.sources.live import LiveSource
from services.gateway.sources.remembered import Original, RememberedOriginals
from services.gateway.sources.uploads.upload import UploadReader
from services.runtime.storage.images import Images

log = structlog.get_logger(__name__)

_LOOK = 0.05  # seconds from one look at the fetch of another gateway to the next
_OVERLAP = 60  # seconds that an image lives beyond the memory of its address
_MARGIN = 5  # seconds that an image which may not be stored lives beyond its requests
_REMEMBERED = (
    NotFound,
    SourceRefused,
    SourceUnavailable,
    SourceTimeout,
    ImageTooBig,
    ImageUnreadable,
)
"""Failures that are given to others for some seconds, without another fetch."""

Outcome = Callable[[str, str], None]
"""Counts the outcome of a fetch from a source."""


@dataclass(frozen=True)
class Fetched:
    """An original, as a source or another gateway has just given it."""

    original: Original
    status: int | None
    """200 if the source has sent it, 304 if it is unchanged; None if another gateway fetched it."""


class Fetcher:
    """Fetches originals. Raises as `Origin.ask` and `Images.keep`, SourceTimeout and Overloaded."""

    def __init__(
        self,
        memory: RememberedOriginals,
        claims: Claims,
        images: Images,
        bodies: UploadReader,
        scratch: Path,
        *,
        count: Outcome,
    ) -> None:
        self._memory = memory
        self._claims = claims
        self._images = images
        self._bodies = bodies
        self._scratch = scratch
        self._count = count
        # As long as the requests that wait for it may last.
        self._once = ceil(bodies.settings.max_timeout) + _MARGIN

    async def fetch(
        self, address: Address, live: LiveSource, before: Original | None, again: bool
    ) -> Fetched:
        """Return an original from its source, or the one that another gateway fetches meanwhile.

        `before` is what is remembered of it; a failure that is remembered counts unless `again`.
        """
        first = True
        while True:
            async with self._claims.hold(address) as claim:
                known = claim.known
                if known.original is not None and known.original != before:
                    return Fetched(known.original, None)
                if known.failure is not None and not (first and again):
                    raise known.failure
                if claim.held:
                    return await self._remembered(address, live, before)
            first = False
            await asyncio.sleep(_LOOK)

    async def _remembered(
        self, address: Address, live: LiveSource, before: Original | None
    ) -> Fetched:
        """Fetch an original, and remember it or the failure."""
        began = time.monotonic()
        try:
            fetched = await self._fetch(address, live, before)
        except ServiceError as exc:
            ms = round((time.monotonic() - began) * 1000)
            log.info(
                "source failed", source=address.source, code=exc.code, reason=exc.detail, ms=ms
            )
            self._count(address.source, exc.code)
            if isinstance(exc, NotFound | SourceRefused):
                await self._memory.forget(address)
            if isinstance(exc, _REMEMBERED) and not isinstance(exc, LeftAlone):
                await self._memory.keep_failure(address, exc)
            raise
        self._count(address.source, "unchanged" if fetched.status == 304 else "changed")
        return fetched

    async def _fetch(self, address: Address, live: LiveSource, before: Original | None) -> Fetched:
        source = live.source
        for known in (before, None):
            limit = source.max_bytes or self._bodies.settings.max_body
            async with download(self._scratch, limit, self._bodies) as body:
                validators = known.validators if known else None
                reply = await self._ask(address, live, validators, body)
                lifetime = reply.lifetime or (known.lifetime if known else Lifetime(0, 0, 0))
                ttl = source.keep + _OVERLAP if lifetime.stored else self._once
                if reply.changed:
                    stored = await self._images.keep(
                        body.spool,
                        ttl=ttl,
                        project=address.project,
                        no_store=not lifetime.stored,
                    )
                    image = stored.blob.key
                else:
                    assert known is not None
                    image = known.image
                    found = await self._images.find(image, ttl=ttl)
                    if found is None or found.damaged:
                        continue  # with all bytes, as they are not here any more
            original = _original(image, reply.validators, lifetime, most=source.keep)
            if lifetime.stored:
                await self._memory.keep(address, original, seconds=source.keep)
            elif before is not None:
                await self._memory.forget(address)
            return Fetched(original, 200 if reply.changed else 304)
        raise AssertionError("a source can't leave unchanged what it was not told of")

    async def _ask(
        self, address: Address, live: LiveSource, known: Validators | None, body: Download
    ) -> Reply:
        """Ask a source within its time limit, when it is this fetch's turn."""
        seconds = live.source.timeout
        ends = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(ends):
                await live.turns.acquire()
        except TimeoutError:
            detail = f"Too many originals of the source {address.source!r} are fetched at once."
            raise Overloaded(detail, retry_after=2) from None
        try:
            with live.breakers.watch(address.place):
                try:
                    async with asyncio.timeout_at(ends):
                        reply = await live.origin.ask(address.place, known, body)
                except TimeoutError:
                    detail = f"The source has not sent all of the original within {seconds:g} s."
                    raise SourceTimeout(detail, retry_after=5) from None
            if reply.changed:
                await body.finish()
            return reply
        finally:
            live.turns.release()


def _original(image: str, validators: Validators, lifetime: Lifetime, *, most: int) -> Original:
    return Original(
        image=image,
        url=validators.url,
        etag=validators.etag,
        modified=validators.modified,
        asked=time.time(),
        fresh=min(lifetime.fresh, most),
        stale_while_revalidate=min(lifetime.stale_while_revalidate, most),
        stale_if_error=min(lifetime.stale_if_error, most),
        stored=lifetime.stored,
    )

"""Fetched originals: asked for once, remembered by their address, and asked for again when stale.

`Originals.acquire` is the way in. `fetching.py` fetches one, `remembered.py` has the memory that
all gateways share, `claims.py` has one of them fetch for all, and `live.py` the sources themselves.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import structlog

from contracts.errors import DeadlineExceeded, ServiceError, SourceTimeout
from services.gateway.sources.addresses import Address, find_address
from services.gateway.sources.configuration import Source, Sources
from services.gateway.sources.fetching import Fetched, Fetcher
from services.gateway.sources.kinds.origin import is_down
from services.gateway.sources.live import LiveSources
from services.gateway.sources.remembered import Original, RememberedOriginals
from services.runtime.shared_calls import SharedCalls
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

_STORING = 10.0  # seconds beyond a source's time limit
_RECENT = 4096  # originals of which this process knows without Redis
_RECENT_LIFE = 2.0  # seconds for which it knows
_REFRESHES = 64  # at once, for clients that do not wait for them
_NAME = "darkroom-source"


@dataclass(frozen=True)
class Acquired:
    """An original that is stored, for how long it counts, and what was done for it."""

    address: Address
    original: Original
    status: str
    """A member of `Cache-Status` (RFC 9211)."""


class Originals:
    """The originals of the sources in the file. Raises as `find_address` and `Fetcher.fetch`."""

    def __init__(
        self,
        sources: Callable[[], Sources],
        memory: RememberedOriginals,
        fetcher: Fetcher,
        live: LiveSources,
    ) -> None:
        self._sources = sources
        self._memory = memory
        self._fetcher = fetcher
        self._live = live
        self._calls = SharedCalls[Fetched]("source-fetch")
        self._recent: OrderedDict[Address, tuple[Original, float]] = OrderedDict()
        self._addresses: dict[tuple[str, str], Address] = {}
        self._addresses_of: Sources | None = None
        self._refreshes: dict[Address, asyncio.Task[None]] = {}

    async def acquire(
        self,
        text: str,
        project: str,
        *,
        again: bool = False,
        among: Collection[str] | None = None,
    ) -> Acquired:
        """Return the original that a text names, fetched if what is remembered of it is stale.

        With `again`, its source is asked in any case. With `among`, no other source is there.
        """
        sources = self._sources()
        if among is None:
            address = self._address(text, project, sources)
        else:
            address = find_address(text, sources, project, among)
        if not again and (recent := self._recently(address)):
            return Acquired(address, recent, _hit(recent))
        source = sources[address.source]
        known = await self._memory.find(address)
        original, failure = known.original, known.failure
        if original and not again:
            left = original.left()
            if left > 0:
                self._note(address, original)
                return Acquired(address, original, _hit(original))
            if -left < original.stale_while_revalidate:
                if failure is None:
                    self._refresh(address, source, original)
                return Acquired(address, original, f"{_hit(original)}; detail=revalidating")
        if failure and not again:
            return _stale(address, original, failure)
        return await self._fetch(address, source, original, again)

    async def forget(self, acquired: Acquired) -> None:
        """Forget an original whose image is not stored any more."""
        self._recent.pop(acquired.address, None)
        await self._memory.forget(acquired.address)

    @property
    def refreshing(self) -> int:
        """The number of originals that are asked for while clients use stale ones."""
        return len(self._refreshes)

    async def close(self) -> None:
        """End what is under way, and close every connection."""
        for task in list(self._refreshes.values()):
            await end(task)
        await self._live.close()

    async def _fetch(
        self, address: Address, source: Source, before: Original | None, again: bool
    ) -> Acquired:
        timeout = source.timeout + _STORING
        joins = self._calls.has(address, timeout=timeout)
        live = self._live.of(address.source, source)
        start = partial(self._fetcher.fetch, address, live, before, again)
        try:
            try:
                fetched = await self._calls.run(
                    address, start, timeout=timeout, lasting=2 * timeout
                )
            except DeadlineExceeded as exc:
                detail = "The original was not fetched and stored in time."
                raise SourceTimeout(detail, retry_after=5) from exc
        except ServiceError as exc:
            return _stale(address, before, exc)
        if fetched.original.stored:
            self._note(address, fetched.original)
        reason = "request" if again else "stale" if before else "uri-miss"
        status = f"{_NAME}; fwd={reason}"
        if fetched.status is not None:
            status += f"; fwd-status={fetched.status}"
        if fetched.status == 200 and fetched.original.stored:
            status += "; stored"
        if joins or fetched.status is None:
            status += "; collapsed"
        return Acquired(address, fetched.original, status)

    def _refresh(self, address: Address, source: Source, before: Original) -> None:
        """Fetch an original for clients that do not wait for it."""
        if address in self._refreshes or len(self._refreshes) >= _REFRESHES:
            return

        async def refresh() -> None:
            try:
                await self._fetch(address, source, before, again=False)
            except ServiceError:
                pass  # logged and remembered by the fetch
            except Exception as exc:
                log.error("refreshing an original failed", exc_info=exc)

        task = asyncio.create_task(refresh(), name="source-refresh")
        self._refreshes[address] = task
        task.add_done_callback(lambda _: self._refreshes.pop(address, None))

    def _address(self, text: str, project: str, sources: Sources) -> Address:
        """Find an address; pages name the same ones again and again."""
        if sources is not self._addresses_of or len(self._addresses) >= _RECENT:
            self._addresses_of = sources
            self._addresses.clear()
        found = self._addresses.get((text, project))
        if found is None:
            found = find_address(text, sources, project)
            self._addresses[text, project] = found
        return found

    def _recently(self, address: Address) -> Original | None:
        """Return an original that is fresh, if Redis has said so within the last seconds."""
        original, until = self._recent.get(address, (None, 0.0))
        if original is None or time.monotonic() >= until or original.left() <= 0:
            return None
        return original

    def _note(self, address: Address, original: Original) -> None:
        self._recent[address] = original, time.monotonic() + _RECENT_LIFE
        self._recent.move_to_end(address)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)


def _hit(original: Original) -> str:
    return f"{_NAME}; hit; ttl={int(original.left())}"


def _stale(address: Address, original: Original | None, failure: ServiceError) -> Acquired:
    """Return a stale original while its source is down and it may be used. Raises the failure."""
    if original is None or not is_down(failure) or -original.left() >= original.stale_if_error:
        raise failure
    return Acquired(address, original, f"{_NAME}; fwd=stale; detail={failure.code}")

"""The sources of the file that were used, with their connections and their breakers."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Network

from services.gateway.outbound.client import make_client
from services.gateway.sources.breaker import Breakers
from services.gateway.sources.configuration import FolderSource, HttpsSource, S3Source, Source
from services.gateway.sources.kinds.folder import FolderOrigin
from services.gateway.sources.kinds.https import HttpsOrigin
from services.gateway.sources.kinds.origin import Origin

OnBreaker = Callable[[str, bool], None]
"""Hears of a source, by its name, whether any of its breakers is open."""


@dataclass(frozen=True)
class LiveSource:
    """A source as one version of the file has it."""

    source: Source
    origin: Origin
    breakers: Breakers
    turns: asyncio.Semaphore
    """One for each original that may be fetched at once."""


class LiveSources:
    """Makes what a source needs when it is first used, and again when its table has changed."""

    def __init__(self, nat64: Sequence[IPv6Network], *, on_breaker: OnBreaker) -> None:
        """`nat64` as in `is_public`; `on_breaker` hears of a source when its breaker changes."""
        self._nat64 = nat64
        self._on_breaker = on_breaker
        self._live: dict[str, LiveSource] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, name: str, source: Source) -> LiveSource:
        """Return a source ready to be asked."""
        live = self._live.get(name)
        if live is not None and live.source == source:
            return live
        if live is not None:
            self._close_later(live)
        made = LiveSource(
            source,
            self._origin(source),
            Breakers(
                name,
                failures=source.failures,
                pause=source.pause,
                on_change=partial(self._on_breaker, name),
            ),
            asyncio.Semaphore(source.connections),
        )
        self._live[name] = made
        return made

    async def close(self) -> None:
        """Close every connection."""
        for task in self._closing:
            task.cancel()
        for live in self._live.values():
            await live.origin.close()
        self._live.clear()

    def _origin(self, source: Source) -> Origin:
        match source:
            case HttpsSource():
                client = make_client(
                    timeout=source.timeout,
                    allow_private=source.allow_private,
                    nat64=self._nat64,
                    connections=source.connections,
                )
                return HttpsOrigin(source, client)
            case FolderSource():
                return FolderOrigin(source)
            case S3Source():
                # obstore takes 6 MB of memory, which a gateway without a bucket needs not.
                from services.gateway.sources.kinds.s3 import S3Origin

                return S3Origin(source)

    def _close_later(self, live: LiveSource) -> None:
        """Close the connections of a former version when its fetches have ended."""

        async def close() -> None:
            await asyncio.sleep(live.source.timeout)
            await live.origin.close()

        task = asyncio.create_task(close(), name="source-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

"""The store of images for operators: readiness, gauges, and a part of the state of the system."""

import time
from typing import Annotated

from prometheus_client import Gauge
from pydantic import BaseModel, Field

from contracts.errors import StoreFull
from services.runtime.storage.blobs import Storage
from services.runtime.storage.usage import Count

_GAUGES_FOR = 15.0  # seconds until the numbers of the gauges are asked for again


class StoreReport(BaseModel):
    """The store of images, as this gateway sees it."""

    kind: Annotated[
        str, Field(description="`disk`, `s3`, `gs`, `azure`, or `redis` for images in Redis.")
    ]
    address: Annotated[str, Field(description="URL of the store, without secrets.")]
    health: Annotated[str, Field(description="`ok`, or the reason why the store does not work.")]
    free: Annotated[int | None, Field(description="Bytes that still fit; null where nobody knows.")]
    places: Annotated[
        dict[str, dict[str, Count]],
        Field(
            description="Objects and bytes in the store, by project and place: `kept` images,"
            " `passing` ones, which came with a render or a job, and `renditions`."
        ),
    ]
    hot: Annotated[
        int, Field(description="Bytes of small images and results that lie in Redis for a while.")
    ]


class StorageState:
    """Looks at a process's storage, and sets gauges in its metrics."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._next_look = 0.0
        registry = storage.metrics.registry
        labels = ("project", "place")
        self._objects = Gauge(
            "darkroom_store_objects", "Objects in the store.", labels, registry=registry
        )
        self._bytes = Gauge(
            "darkroom_store_bytes", "Bytes of these objects.", labels, registry=registry
        )
        self._hot = Gauge(
            "darkroom_hot_bytes",
            "Bytes of small images and results that lie in Redis for a while.",
            registry=registry,
        )

    @property
    def failure(self) -> str:
        """Reason why the store can't be used; empty while it answers, and for images in Redis."""
        store = self._storage.store
        if store is None:
            return ""
        if not store.running:
            return "The task that checks the store has ended."
        failure = store.state.failure
        return failure.detail if failure and not isinstance(failure, StoreFull) else ""

    @property
    def full(self) -> str:
        """Reason why nothing more fits into the store; empty while something does."""
        failure = self._storage.store.state.failure if self._storage.store else None
        return failure.detail if isinstance(failure, StoreFull) else ""

    async def report(self, only: str | None = None) -> StoreReport:
        """Return the state, with the places of one project or of all. Raises as `RedisClient`."""
        store = self._storage.store
        places: dict[str, dict[str, Count]] = {}
        for (project, place), count in (await self._storage.usage.counts()).items():
            if only in (None, project):
                places.setdefault(project, {})[place] = count
        return StoreReport(
            kind=store.name if store else "redis",
            address=store.address if store else "redis:",
            health=self.failure or self.full or "ok",
            free=store.state.free if store else None,
            places=places,
            hot=await self._storage.hot.size(),
        )

    async def set_gauges(self) -> None:
        """Set the gauges, from time to time. Raises as `RedisClient`."""
        if time.monotonic() < self._next_look:
            return
        counts, hot = await self._storage.usage.counts(), await self._storage.hot.size()
        for gauge in (self._objects, self._bytes):
            gauge.clear()
        for (project, place), count in counts.items():
            self._objects.labels(project, place).set(count.objects)
            self._bytes.labels(project, place).set(count.bytes)
        self._hot.set(hot)
        self._next_look = time.monotonic() + _GAUGES_FOR

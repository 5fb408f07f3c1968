"""Failures of Redis and of the store of images: jobs wait for their end, and do not fail by one."""

from contracts.errors import ServiceError, StoreFull, Unavailable
from services.runtime.redis.client import store_error
from services.runtime.redis.watch import StoreWatch
from services.runtime.storage.stores.async_store import AsyncStore

_LONGEST_AWAY = 4.0  # seconds from one try of a store that is away to the next


class Outages:
    """Has this worker pause after a failure that is no job's."""

    def __init__(self, redis: StoreWatch, store: AsyncStore | None) -> None:
        self._redis = redis
        self._store = store

    def pause_after(self, failure: Exception) -> bool:
        """Return whether the failure is no job's; this worker then takes no job for a while."""
        match failure:
            case Unavailable():
                if self._store is None or not isinstance(self._store.state.failure, Unavailable):
                    return False  # another worker, or an image that is being deleted
                self._redis.pause(longest=_LONGEST_AWAY)
            case StoreFull() if self._store is not None:
                self._redis.pause()
            case StoreFull():
                self._redis.report_full(failure)
            case ServiceError():
                return False
            case _:
                self._redis.report_full(store_error(failure))
        return True

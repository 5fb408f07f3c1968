"""Stores by their URLs."""

from pathlib import Path

from services.runtime.settings import RuntimeSettings
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import Store
from services.runtime.store_address import StoreAddress, parse_store


def make_store(settings: RuntimeSettings) -> Store | None:
    """Return the store of the settings; None where bytes lie in Redis.

    Raises ValueError with a sentence for people if the store can't be used.
    """
    if settings.store is None:
        return None
    return store_at(parse_store(settings.store))


def store_at(address: StoreAddress) -> Store | None:
    """Return the store at an address; None for `redis:`. Raises ValueError."""
    match address.scheme:
        case "redis":
            return None
        case "file":
            try:
                return DiskStore(Path(address.path))
            except OSError as exc:
                raise ValueError(
                    f"DARKROOM_STORE: the folder {address.path} can't be made ({exc.strerror}):"
                    " make it, and let the user of this service write into it."
                ) from exc
        case _:
            raise ValueError(f"DARKROOM_STORE: {address.scheme}:// is not there yet.")

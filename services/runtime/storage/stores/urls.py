"""Stores by their URLs."""

import os
from pathlib import Path
from tempfile import gettempdir

from services.runtime.settings import RuntimeSettings
from services.runtime.storage.stores.cache import FileCache
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import Store
from services.runtime.store_address import StoreAddress, parse_store


def make_store(settings: RuntimeSettings) -> Store | None:
    """Return the store of the settings; None where bytes lie in Redis.

    Raises ValueError with a sentence for people if the store can't be used.
    """
    if settings.store is None:
        return None
    cache = settings.store_cache or Path(gettempdir()) / f"darkroom-cache-{os.getuid()}"
    return store_at(parse_store(settings.store), cache=cache, limit=settings.store_cache_bytes)


def store_at(address: StoreAddress, *, cache: Path, limit: int) -> Store | None:
    """Return the store at an address; None for `redis:`. Raises ValueError.

    A bucket has copies of up to `limit` bytes in the folder `cache`.
    """
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
            # obstore takes 6 MB of memory, which a process without a bucket needs for images.
            from services.runtime.storage.stores.bucket import BucketStore

            return BucketStore(address, _cache(cache, limit))


def _cache(folder: Path, limit: int) -> FileCache:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            # Others could replace copies. In the temporary folder, everybody may make folders.
            raise ValueError(
                f"DARKROOM_STORE_CACHE: others may write into the folder {folder}: use one into"
                " which only the user of this service may write."
            )
        return FileCache(folder, limit)
    except OSError as exc:
        raise ValueError(
            f"DARKROOM_STORE_CACHE: the folder {folder} can't be used ({exc.strerror}): make it,"
            " and let the user of this service write into it."
        ) from exc

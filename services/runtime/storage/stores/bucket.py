"""A store in a bucket: S3 and what speaks its protocol, Google's and Azure's.

By obstore's blocking interface alone: after calls of its asynchronous one, 2 of 15 processes were
aborted when they ended.
"""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore

from contracts.errors import ServiceError, Unavailable
from services.runtime.storage.stores.bucket_clients import READING, WRITING, make_client
from services.runtime.storage.stores.bucket_failures import NoSuchRange, named
from services.runtime.storage.stores.cache import FileCache
from services.runtime.storage.stores.failures import RETRY_AFTER
from services.runtime.storage.stores.paths import check_path
from services.runtime.storage.stores.store import CHUNK, MARKER, Missing, StoredObject
from services.runtime.store_address import StoreAddress

if TYPE_CHECKING:
    from obstore import GetOptions

_NAMES: Final = {"s3": "s3", "gs": "gs", "az": "azure"}
_PAGE: Final = 1000  # objects

_SINGLE: Final = 8 << 20
"""Bytes of the largest object that is sent in one request, and of a part of a larger one."""
_PARTS_AT_ONCE: Final = 2
_LARGE: Final = 1 << 20
"""Bytes from which on a put takes one of a few turns: its parts are in memory."""
_LARGE_AT_ONCE: Final = 4
_TURN: Final = 20.0  # seconds to wait for one


class BucketStore:
    """Objects below a prefix of a bucket, with copies of those that were opened in `cache`.

    Credentials come from the usual variables of the environment, or from the cloud's machine. Of a
    failure only the status and the code are told, as its text may have more.
    """

    def __init__(self, address: StoreAddress, cache: FileCache) -> None:
        self.name = _NAMES[address.scheme]
        self.address = str(address)
        self.scratch = cache.scratch
        self._cache = cache
        self._reading = make_client(address, READING)
        self._writing = make_client(address, WRITING)
        self._deleting_each = make_client(address, WRITING, many=False)
        # S3 alone: other clouds report a missing object among many as a failure of all.
        self._deletes_many = address.scheme == "s3"
        self._turns = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def put(self, path: str, content: bytes | Path, *, durable: bool = True) -> None:
        """Store bytes, or a file, which is copied and then removed; replace what is there.

        A bucket is always durable.
        """
        check_path(path)
        with named():
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
        with self._turn(size), named():
            obstore.put(
                self._writing,
                path,
                content,
                use_multipart=size > _SINGLE,
                chunk_size=_SINGLE,
                max_concurrency=_PARTS_AT_ONCE,
            )
            self._cache.forget(self._url(path))
            if isinstance(content, Path):
                content.unlink(missing_ok=True)

    def read(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` to `stop` in pieces. Raises Missing, before the first."""
        check_path(path)
        if stop is not None and start >= stop:
            return
        try:
            stream = self._stream(path, start, stop)
        except NoSuchRange:
            size = self.size(path) or 0
            if start >= size:
                return
            stream = self._stream(path, start, size)
        while True:
            with named(path):
                piece = next(stream, None)
            if piece is None:
                return
            for begin in range(0, len(piece), CHUNK):
                yield piece if len(piece) <= CHUNK else piece[begin : begin + CHUNK]

    def open(self, path: str) -> int:
        """Return a descriptor of a copy on this host; the caller closes it. Raises Missing."""
        check_path(path)
        with named():
            return self._cache.open(self._url(path), lambda: self.read(path))

    def forget(self, path: str) -> None:
        """Remove this host's copy of an object."""
        check_path(path)
        with named():
            self._cache.forget(self._url(path))

    def size(self, path: str) -> int | None:
        """Return the number of bytes at a path; None if there are none."""
        check_path(path)
        try:
            with named(path):
                return obstore.head(self._reading, path)["size"]
        except Missing:
            # The answer to HEAD has no code: the bucket may be missing, and not the object.
            with suppress(Missing), named(path):
                return obstore.get(self._reading, path).meta["size"]
            return None

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects, many in one request where the server can do that."""
        for path in paths:
            check_path(path)
        with named():
            for path in paths:
                self._cache.forget(self._url(path))
        if self._deletes_many and len(paths) > 1:
            try:
                with named():
                    obstore.delete(self._writing, paths)
            except (Missing, ServiceError):
                self._delete_each(paths)
                self._deletes_many = False
            return
        self._delete_each(paths)

    def list(self, prefix: str = "") -> Generator[Sequence[StoredObject], None, None]:
        """Yield the objects below a folder in pages of about 1,000."""
        if prefix:
            check_path(prefix.rstrip("/"))
        pages = obstore.list(self._reading, prefix.rstrip("/") or None, chunk_size=_PAGE)
        while True:
            with named():
                page = next(pages, None)
            if page is None:
                return
            if page:
                yield [
                    StoredObject(one["path"], one["size"], one["last_modified"].timestamp())
                    for one in page
                ]

    def remove_unfinished(self, *, older: float) -> int:
        """Remove old files of `scratch` on this host.

        Multipart uploads whose writer died stay in the bucket: obstore can't list them. A rule of
        the bucket's lifecycle has to end them.
        """
        with named():
            return self._cache.remove_unfinished(older=older)

    def free(self) -> None:
        """Return None: a bucket tells no limit."""
        return

    def check(self) -> None:
        """Ask for the object that marks the store, which need not be there."""
        with suppress(Missing), named(MARKER):
            obstore.get(self._reading, MARKER)

    def _stream(self, path: str, start: int, stop: int | None) -> Iterator[bytes]:
        """Begin to read. Raises NoSuchRange if the server wants no range beyond the end."""
        options: GetOptions = {}
        if stop is not None:
            options = {"range": (start, stop)}
        elif start:
            options = {"range": {"offset": start}}
        with named(path):
            return obstore.get(self._reading, path, options=options).stream(CHUNK)

    def _url(self, path: str) -> str:
        return f"{self.address}/{path}"

    @contextmanager
    def _turn(self, size: int) -> Iterator[None]:
        """Wait for a turn to send a large object: a few are sent at once."""
        if size < _LARGE:
            yield
            return
        if not self._turns.acquire(timeout=_TURN):
            raise Unavailable("The bucket is too slow for all uploads.", retry_after=RETRY_AFTER)
        try:
            yield
        finally:
            self._turns.release()

    def _delete_each(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(Missing), named(path):
                obstore.delete(self._deleting_each, path)

"""A store in a bucket: S3 and what speaks its protocol, Google's and Azure's.

By obstore's blocking interface alone: after calls of its asynchronous one, 2 of 15 processes were
aborted when they ended.
"""

import threading
import time
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
    from obstore import GetOptions, GetResult

_NAMES: Final = {"s3": "s3", "gs": "gs", "az": "azure"}
_PAGE: Final = 1000  # objects

_SINGLE: Final = 8 << 20
"""Bytes of the largest object that is sent in one request."""
_PART: Final = 5 << 20
"""Bytes of a part of a larger one, the least that S3 takes. Parts are sent one after the other."""
_LARGE: Final = 1 << 20
"""Bytes from which on a put takes one of a few turns: its parts are in memory."""
_LARGE_AT_ONCE: Final = 4
_TURN: Final = 20.0  # seconds to wait for one

_SLOW: Final = 0.1
"""Seconds after which a reader that asks for no other piece is a slow one.

A stream has up to 1.4 MB in memory: 60 slow readers would take 80 MB. A slow one gets each piece by
a request of its own. A quick one gets all that follows the first piece as a stream.
"""


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
                chunk_size=_PART,
                max_concurrency=1,
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
        near = start + CHUNK
        answer = self._ask(path, start, near if stop is None else min(stop, near))
        if answer is None:
            return
        size = answer.meta["size"]
        end = size if stop is None else min(stop, size)
        position, quick = start, False
        while True:
            before = position
            for piece in _pieces(path, answer):
                position += len(piece)
                yielded = time.monotonic()
                yield piece
                quick = time.monotonic() - yielded < _SLOW
                if not quick:
                    break
            if position >= end:
                return
            if position == before:
                raise Unavailable("The bucket has sent nothing.", retry_after=RETRY_AFTER)
            del answer  # and its connection, with what has arrived on it
            answer = self._get(path, position, end if quick else min(end, position + CHUNK))

    def open(self, path: str) -> int:
        """Return a descriptor of a copy on this host; the caller closes it. Raises Missing."""
        check_path(path)
        with named():
            return self._cache.open(
                self._url(path), lambda: _pieces(path, self._get(path, 0, None))
            )

    def open_at_once(self, path: str) -> None:
        """Return None: a copy has to be looked for, and the time of its use be written."""

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

    def _ask(self, path: str, start: int, stop: int | None) -> "GetResult | None":
        """Begin to read; None if the object ends at `start` or before."""
        try:
            return self._get(path, start, stop)
        except NoSuchRange:
            # Some servers want no range that goes beyond the end.
            size = self.size(path) or 0
            return self._get(path, start, size) if start < size else None

    def _get(self, path: str, start: int, stop: int | None) -> "GetResult":
        options: GetOptions = {}
        if stop is not None:
            options = {"range": (start, stop)}
        elif start:
            options = {"range": {"offset": start}}
        with named(path):
            return obstore.get(self._reading, path, options=options)

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


def _pieces(path: str, answer: "GetResult") -> Iterator[bytes]:
    """Yield the bytes of an answer as they come."""
    stream = answer.stream(CHUNK)
    while True:
        with named(path):
            many = next(stream, None)
        if many is None:
            return
        for begin in range(0, len(many), CHUNK):
            yield many[begin : begin + CHUNK]

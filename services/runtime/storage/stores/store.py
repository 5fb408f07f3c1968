"""Protocol of a store of bytes. Its calls block; `async_store.AsyncStore` has them in threads."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MARKER = "darkroom-store.json"
"""Path of the object with the identity of a store."""

CHUNK = 256 << 10
"""Bytes of the largest piece that `Store.read` yields."""


class Missing(Exception):
    """The store has nothing at a path."""


@dataclass(frozen=True)
class StoredObject:
    """An object in a store, without its bytes."""

    path: str
    size: int
    modified: float
    """Seconds since 1970, by the store's clock."""


class Store(Protocol):
    """Bytes by paths, which have slashes and no dots at their beginnings.

    Every method may raise StoreFull (nothing fits) and Unavailable (the store does not answer, or
    refuses its credentials); both are failures of `contracts.errors`. Methods may be called from
    several threads.
    """

    name: str
    """The kind of store: `disk`, `s3`, `gs` or `azure`."""
    address: str
    """The store's URL without secrets, for logs and messages."""
    scratch: Path
    """A folder of this host for files that are to be stored: `put` may move one from there."""

    def put(self, path: str, content: bytes | Path, *, durable: bool = True) -> None:
        """Store bytes, or a file of `scratch` that is moved or copied; replace what is there.

        Nobody ever finds a part of the bytes. With `durable` they outlast a loss of power.
        """
        ...

    def read(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` to `stop` in pieces. Raises Missing, before the first."""
        ...

    def open(self, path: str) -> int:
        """Return a descriptor of a file with the bytes, open for reading; the caller closes it.

        Of a bucket's object it is a copy on this host. Raises Missing.
        """
        ...

    def open_at_once(self, path: str) -> int | None:
        """Return a descriptor as `open` does, without a wait for a disk or a network.

        None if that may take a while, or if `open` would fail. Raises ValueError for a path that
        leads out of the store.
        """
        ...

    def forget(self, path: str) -> None:
        """Remove this host's copy of an object, if there is one: of a damaged one, for example."""
        ...

    def size(self, path: str) -> int | None:
        """Return the number of bytes at a path; None if there are none."""
        ...

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; one that is not there is no error."""
        ...

    def list(self, prefix: str = "") -> Generator[Sequence[StoredObject], None, None]:
        """Yield the objects below a folder in pages of about 1,000."""
        ...

    def remove_unfinished(self, *, older: float) -> int:
        """Delete what writers that died have left, if it is older than `older` seconds.

        Returns the number of files, or of multipart uploads.
        """
        ...

    def free(self) -> int | None:
        """Return the bytes that still fit; None if nobody knows."""
        ...

    def check(self) -> None:
        """Return if the store answers, with the cheapest call there is."""
        ...

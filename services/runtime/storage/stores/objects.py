"""Objects of a bucket that somebody else fills: read by key, unless they are unchanged.

By obstore's blocking interface, as `bucket.py` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import NotModifiedError, PermissionDeniedError

from services.runtime.storage.stores.bucket_clients import READING, Credentials, make_client
from services.runtime.storage.stores.bucket_failures import named
from services.runtime.storage.stores.store import CHUNK
from services.runtime.store_address import StoreAddress

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult


class Refused(Exception):
    """The bucket does not let this service read the object.

    S3 says so of a missing object, too, where its caller may not list the bucket.
    """


@dataclass(frozen=True)
class OpenedObject:
    """An object whose bytes have begun to arrive."""

    etag: str
    size: int
    pieces: Iterator[bytes]
    """The bytes; raises Unavailable."""


class ObjectReader:
    """Reads objects below a prefix of a bucket. Its calls block."""

    def __init__(self, address: StoreAddress, credentials: Credentials | None) -> None:
        """Take `credentials`, or those of the environment's variables or of the cloud's machine."""
        self._client = make_client(address, READING, credentials=credentials)

    def open(self, key: str, etag: str) -> OpenedObject | None:
        """Begin to read an object; None if it has this entity tag, which may be empty.

        Raises Missing, Refused and Unavailable.
        """
        options: GetOptions = {"if_none_match": etag} if etag else {}
        with named(key):
            try:
                answer = obstore.get(self._client, key, options=options)
            except NotModifiedError:
                return None
            except PermissionDeniedError:
                raise Refused(key) from None
        meta = answer.meta
        if etag and meta["e_tag"] == etag:
            return None  # some servers ignore the condition
        return OpenedObject(meta["e_tag"] or "", meta["size"], _pieces(answer))


def _pieces(answer: "GetResult") -> Iterator[bytes]:
    stream = answer.stream(CHUNK)
    while True:
        with named():
            many = next(stream, None)
        if many is None:
            return
        yield bytes(many)

"""Originals in a bucket of S3, or of a server with its protocol."""

import os

from contracts.errors import NotFound, SourceUnavailable, Unavailable
from services.gateway.sources.configuration import S3Source
from services.gateway.sources.kinds.origin import Body, Lifetime, NoImageThere, Reply, Validators
from services.gateway.sources.kinds.threads import Threads
from services.runtime.storage.stores.bucket_clients import Credentials
from services.runtime.storage.stores.objects import ObjectReader, Refused
from services.runtime.storage.stores.store import Missing
from services.runtime.store_address import StoreAddress


class S3Origin:
    """Reads objects below a prefix. The validator of an object is its entity tag."""

    def __init__(self, source: S3Source) -> None:
        address = StoreAddress(
            "s3",
            source.prefix,
            source.bucket,
            source.endpoint,
            source.region,
            path_style=source.path_style,
        )
        self._objects = ObjectReader(address, _credentials(source))
        self._lifetime = Lifetime(
            source.fresh, source.stale_while_revalidate, source.stale_if_error
        )
        self._threads = Threads("s3-source", source.connections)

    async def ask(self, place: str, known: Validators | None, body: Body) -> Reply:
        """Read an object, unless it has the known entity tag."""
        etag = known.etag if known else ""
        try:
            opened = await self._threads.call(lambda: self._objects.open(place, etag))
            if opened is None:
                assert known is not None
                return Reply(False, self._lifetime, known)
            body.expect(opened.size)
            size = 0
            pieces = opened.pieces
            while piece := await self._threads.call(lambda: next(pieces, b"")):
                size += len(piece)
                await body.write(piece)
        except Missing as exc:
            raise NotFound("The source has no image with this key.") from exc
        except Refused as exc:
            raise NoImageThere("The bucket refuses this key.", retry_after=5) from exc
        except Unavailable as exc:
            raise SourceUnavailable(exc.detail, retry_after=exc.retry_after) from exc
        if size != opened.size:
            raise SourceUnavailable("The bucket has sent a part of the object.", retry_after=5)
        return Reply(True, self._lifetime, Validators(etag=opened.etag))

    async def close(self) -> None:
        """End the threads."""
        self._threads.close()


def _credentials(source: S3Source) -> Credentials | None:
    if source.access_key_env is None or source.secret_key_env is None:
        return None
    return Credentials(os.environ[source.access_key_env], os.environ[source.secret_key_env])

"""Images as open files, for the processes that decode them.

A file is one of the store, or of its own in memory where the bytes lie in Redis.
"""

from contracts.errors import Gone
from services.runtime.storage.blobs import Blobs, Storage
from services.runtime.storage.files import File, OpenFiles, file_of, file_of_pieces
from services.runtime.storage.parts import AT_ONCE
from services.runtime.storage.records import Judged, Kind, StoredBlob
from services.runtime.storage.stores.async_store import AsyncStore
from services.runtime.storage.stores.store import Missing


class OpenedImages(Blobs):
    """Opens images, and keeps those that were opened last. Raises as `Blobs`."""

    kind = Kind.IMAGE

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self._memory = OpenFiles.in_memory()
        self._files = OpenFiles.of_store()

    def opened(self, judged: Judged) -> File | None:
        """Return a file as `open` does, at once: of bytes in this process, or of a file that the
        kernel has in memory. None for others."""
        stored = judged.stored
        if stored.damaged:
            return None
        if stored.place is not None and self._store is not None:
            return self._files.find(stored.blob.key) or self._opened_at_once(self._store, stored)
        file = self._memory.find(stored.blob.key)
        if file is None and judged.data is not None and len(judged.data) == stored.blob.bytes:
            self._moves.offer(stored)
            file = file_of(judged.data, digest=stored.digest)
            self._memory.add(stored.blob.key, file)
        return file

    def taken(self, judged: Judged) -> bytes:
        """Return the bytes of an image that came along. They move if their place is another one."""
        assert judged.data is not None
        self._moves.offer(judged.stored)
        return judged.data

    def _opened_at_once(self, store: AsyncStore, stored: StoredBlob) -> File | None:
        descriptor = store.open_at_once(stored.path)
        if descriptor is None:
            return None
        file = File(descriptor, stored.blob.bytes, stored.digest)
        return self._files.add(stored.blob.key, file)

    async def open(self, stored: StoredBlob) -> File:
        """Open a file with the bytes of an image: of the store, or of its own in memory.

        Nobody has compared the bytes with the digest yet. Raises Gone.
        """
        if stored.damaged:
            raise Gone("The stored bytes of this image are damaged; upload it again.")
        for again in (True, False):
            try:
                return await self._open(stored)
            except Missing as exc:
                found = await self.find(stored.blob.key)
                if found is None:
                    break
                if not again:
                    await self.report_damaged(found, "its bytes are missing")
                    raise Gone("The store has lost this image; upload it again.") from exc
                stored = found  # its bytes are elsewhere meanwhile
        raise Gone(f"The image {stored.blob.key} is not here any more; upload it again.")

    async def _open(self, stored: StoredBlob) -> File:
        blob = stored.blob
        if stored.place is not None and self._store is not None:
            descriptor = await self._store.open(stored.path)
            return self._files.add(blob.key, File(descriptor, blob.bytes, stored.digest))
        self._moves.offer(stored)
        *_, part = await self._record_and_part(blob)
        pieces = self._parts(stored, part, 0, blob.bytes, at_once=AT_ONCE)
        file = await file_of_pieces(pieces, size=blob.bytes, digest=stored.digest)
        return self._memory.add(blob.key, file)

    async def report_damaged(self, stored: StoredBlob, reason: str) -> bool:
        """Report an image as `Blobs` does, and forget its bytes."""
        self._memory.forget(stored.blob.key)
        self._files.forget(stored.blob.key)
        return await super().report_damaged(stored, reason)

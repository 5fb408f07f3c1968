"""Images that caches may not keep, and that are stored for the time of a request."""

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.lookups import Lookup, Lookups
from services.runtime.storage.records import StoredBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.spool import Spool


async def keep(storage: Storage, data: bytes, *, no_store: bool, kept: bool = False) -> StoredBlob:
    spool = await Spool.of(data, storage.scratch)
    try:
        return await Images(storage).keep(spool, ttl=60, kept=kept, no_store=no_store)
    finally:
        await spool.close()


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("size", [100, 300_000])
async def test_the_mark_ends_when_an_image_is_stored_for_another_reason(
    either: Storage, kept: bool, size: int
) -> None:
    marks = []
    for no_store in (True, True, False, True):
        stored = await keep(either, bytes(size), no_store=no_store, kept=kept and not no_store)
        assert await Images(either).find(stored.blob.key) == stored
        marks.append(stored.no_store)
    assert marks == [True, True, False, False]


async def test_caches_may_keep_a_result_only_if_they_may_keep_each_of_its_images(
    either: Storage,
) -> None:
    lookups = Lookups(either.redis, Images(either), Renditions(either))
    secret = (await keep(either, b"a secret", no_store=True)).blob.key
    other = (await keep(either, b"no secret", no_store=False)).blob.key
    for wanted in ((other,), (secret,), (other, secret), (secret, other)):
        for found in (
            await lookups.find(Lookup(DEFAULT_PROJECT, wanted)),
            await lookups._look(DEFAULT_PROJECT, wanted, None),
        ):
            assert found is not None
            assert found.no_store is (secret in wanted)

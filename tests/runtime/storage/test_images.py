"""Images are stored once, live as long as was promised, and are found wherever their bytes lie."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Gone, StoreFull
from contracts.imaging import Blob
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.kept import KeptImages
from services.runtime.storage.parts import PART
from services.runtime.storage.records import Kind, Place, StoredBlob, path_of
from services.runtime.storage.sidecar import Sidecar, sidecar_path
from services.runtime.storage.spool import Spool, SpoolMemory
from tests.runtime.storage.conftest import MakeStorage

NOTE = Blob(key="f" * 64, media_type="image/png", bytes=1)
SIZES = (1, PART, PART + 1, 3 * PART + 100)


async def keep(images: Images, data: bytes, folder: Path, *, kept: bool = False) -> StoredBlob:
    spool = await Spool.of(data, folder)
    try:
        return await images.keep(spool, ttl=100, kept=kept)
    finally:
        await spool.close()


async def read_into(received: bytearray, images: Images, blob: Blob) -> None:
    async for piece in images.read(blob):
        received += piece


def record(stored: StoredBlob) -> str:
    return keys.blob(Kind.IMAGE, stored.blob.key)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kept", [False, True])
async def test_an_image_is_read_as_it_was_stored(
    either: Storage, size: int, kept: bool, tmp_path: Path
) -> None:
    images, data = Images(either), os.urandom(size)
    stored = await keep(images, data, either.scratch, kept=kept)

    assert stored.blob == Blob(
        key=sha256(data).hexdigest(), media_type="application/octet-stream", bytes=size
    )
    assert stored.digest == stored.blob.key
    assert await images.get(stored.blob) == data
    for start, stop in ((0, 1), (size // 2, size), (size - 1, size)):
        assert (
            b"".join([part async for part in images.read(stored.blob, start, stop)])
            == (data[start:stop])
        )
    for _ in range(2):
        file = await images.open(stored)
        assert os.pread(file.descriptor, size + 1, 0) == data
        assert (file.size, file.digest) == (size, stored.blob.key)
        file.close()
    assert list(either.scratch.glob("body-*")) == []


async def test_a_body_in_memory_is_stored_like_one_in_a_file(either: Storage) -> None:
    images, data = Images(either), os.urandom(6 * PART + 1)
    spool = Spool(either.scratch, SpoolMemory(4 << 20))
    await spool.write(data)
    await spool.finish()
    assert spool.content == data
    stored = await images.keep(spool, ttl=100)
    await spool.close()

    assert await images.get(stored.blob) == data
    file = await images.open(stored)
    assert os.pread(file.descriptor, len(data) + 1, 0) == data
    file.close()


async def test_the_same_bytes_are_stored_once_and_live_for_the_longest_of_all_promises(
    storage: Storage, redis: RedisClient
) -> None:
    images, data = Images(storage), os.urandom(PART + 1)
    first = await keep(images, data, storage.scratch)
    assert first.place is Place.PASSING
    again = await images.keep_bytes(data, ttl=10)
    assert again == first
    assert 90 < await redis.execute("TTL", record(first)) <= 100

    kept = await keep(images, data, storage.scratch, kept=True)
    assert kept.place is Place.KEPT
    assert await images.get(first.blob) == data, "its old description leads to its new place"
    settled = await KeptImages(redis, images).settle(kept, ttl=None, label="house.jpg")
    assert await redis.execute("TTL", record(kept)) == -1
    assert (settled.stored.label, settled.ends) == ("house.jpg", None)
    assert (await images.keep_bytes(data, ttl=10)).place is Place.KEPT
    assert await KeptImages(redis, images).settle(kept, ttl=5) == settled
    assert await redis.execute("TTL", record(kept)) == -1
    assert await images.find(kept.blob.key, ttl=50) == settled.stored
    assert await redis.execute("ZRANGE", keys.images_of("default"), 0, -1) == [
        kept.blob.key.encode()
    ]


async def test_a_kept_image_has_a_sidecar_that_says_all_of_it(
    storage: Storage, tmp_path: Path
) -> None:
    images, data = Images(storage), os.urandom(10)
    kept = await keep(images, data, storage.scratch, kept=True)
    path = tmp_path / "store" / sidecar_path(path_of(Place.KEPT, kept.blob.key))
    assert not path.exists(), "nobody has kept it yet"
    await images.describe(kept.blob, "image/png", NOTE, None, ttl=1)
    listed = KeptImages(storage.redis, images)
    await listed.settle(kept, ttl=1000, label="Küche.jpg")

    sidecar = Sidecar.model_validate_json(path.read_bytes())
    assert (sidecar.media_type, sidecar.bytes, sidecar.label) == ("image/png", 10, "Küche.jpg")
    assert sidecar.created == kept.created
    assert sidecar.ends is not None
    await listed.change(DEFAULT_PROJECT, kept.blob.key, label="bath.jpg")
    assert Sidecar.model_validate_json(path.read_bytes()).label == "bath.jpg"


async def test_small_passing_images_stay_in_redis_and_kept_ones_do_not(
    storage: Storage, redis: RedisClient, tmp_path: Path
) -> None:
    images, data = Images(storage), os.urandom(1000)
    small = await images.keep_bytes(data, ttl=10)
    assert small.place is None
    assert not list((tmp_path / "store").glob("default/*/*/*/*"))
    assert await redis.execute("GET", keys.HOT_BYTES) == b"1000"

    kept = await keep(images, data, storage.scratch, kept=True)
    assert kept.place is Place.KEPT
    assert await redis.execute("HEXISTS", record(kept), "data") == 0
    assert await redis.execute("HLEN", keys.HOT) == 0
    assert await redis.execute("GET", keys.HOT_BYTES) == b"0"
    assert await images.get(small.blob) == data


async def test_a_stored_image_takes_little_of_redis(storage: Storage, redis: RedisClient) -> None:
    images = Images(storage)
    for _ in range(200):  # so that the list is as large as that of many images
        kept = await keep(images, os.urandom(PART + 1), storage.scratch, kept=True)
        await images.describe(kept.blob, "image/jpeg", NOTE, NOTE, ttl=100)
        await KeptImages(redis, images).settle(kept, ttl=None, label="a label of a photograph.jpg")
    own = await redis.execute("MEMORY", "USAGE", record(kept), "SAMPLES", 0)
    listed = await redis.execute("MEMORY", "USAGE", keys.images_of("default"), "SAMPLES", 0)
    assert own + listed / 200 <= 1536


async def test_a_flipped_byte_is_not_delivered_and_a_new_upload_mends_it(
    storage: Storage, tmp_path: Path
) -> None:
    images, data = Images(storage), os.urandom(3 * PART)
    kept = await keep(images, data, storage.scratch, kept=True)
    path = tmp_path / "store" / path_of(Place.KEPT, kept.blob.key)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    received = bytearray()
    with pytest.raises(Gone):
        await read_into(received, images, kept.blob)
    assert received == data[: len(received)]
    assert len(received) < len(data)
    assert 'darkroom_corrupt_blobs_total{kind="image"} 1.0' in storage.metrics.text().decode()
    with pytest.raises(Gone):
        await anext(images.read(kept.blob))

    await keep(images, data, storage.scratch, kept=True)
    assert await images.get(kept.blob) == data


@pytest.mark.parametrize("size", [10, PART + 1])
async def test_a_damaged_kept_image_that_comes_with_a_render_is_kept_as_before(
    storage: Storage, tmp_path: Path, size: int
) -> None:
    images, data = Images(storage), os.urandom(size)
    kept = await keep(images, data, storage.scratch, kept=True)
    listed = KeptImages(storage.redis, images)
    before = await listed.settle(kept, ttl=None, label="a")
    (tmp_path / "store" / path_of(Place.KEPT, kept.blob.key)).unlink()
    with pytest.raises(Gone):
        await images.open(kept)

    await images.keep_bytes(data, ttl=10)
    assert await listed.find(kept.blob.key) == before
    assert await images.get(kept.blob) == data


async def test_an_image_whose_bytes_are_lost_is_gone(storage: Storage, tmp_path: Path) -> None:
    images = Images(storage)
    kept = await keep(images, os.urandom(PART), storage.scratch, kept=True)
    (tmp_path / "store" / path_of(Place.KEPT, kept.blob.key)).unlink()
    with pytest.raises(Gone):
        await images.open(kept)
    found = await images.find(kept.blob.key)
    assert found is not None
    assert found.damaged


async def test_the_limits_of_the_store_and_of_a_project(make: MakeStorage) -> None:
    for limit in ("store_bytes", "project_bytes"):
        storage = make(**{limit: 2 * PART})
        images = Images(storage)
        stored = await keep(images, os.urandom(PART + 1), storage.scratch, kept=True)
        with pytest.raises(StoreFull, match=f"{PART - 1:,} of {2 * PART:,} bytes") as caught:
            await keep(images, os.urandom(PART), storage.scratch, kept=True)
        assert caught.value.retry_after is None, "nothing expires"
        await keep(images, os.urandom(PART - 1), storage.scratch, kept=True)
        assert await images.find(stored.blob.key) is not None
        await storage.usage.reset({})


async def test_many_at_once_of_two_processes_exceed_no_limit(make: MakeStorage) -> None:
    limit = 5 * PART
    for name in ("store_bytes", "project_bytes"):
        storages = [make(**{name: limit}) for _ in range(2)]
        outcomes = await asyncio.gather(
            *(
                keep(Images(storage), os.urandom(PART), storage.scratch, kept=True)
                for storage in storages * 10
            ),
            return_exceptions=True,
        )
        assert sum(not isinstance(one, BaseException) for one in outcomes) == 5
        assert sum(isinstance(one, StoreFull) for one in outcomes) == 15
        counts = await storages[0].usage.counts()
        assert sum(count.bytes for count in counts.values()) == limit
        await storages[0].usage.reset({})
        # All reservations have ended: there is room for as many again.
        await keep(Images(storages[0]), os.urandom(limit), storages[0].scratch, kept=True)
        await storages[0].usage.reset({})


async def test_a_note_and_a_verdict_are_not_written_for_an_expired_image(
    storage: Storage, redis: RedisClient
) -> None:
    images = Images(storage)
    stored = await images.keep_bytes(b"x", ttl=10)
    await images.judge(stored.blob.key, NOTE, capability="a")
    for capability, verdict in (("a", NOTE.model_dump_json().encode()), ("b", None)):
        [judged, missing] = await images.look([stored.blob.key, "0" * 64], capability=capability)
        assert judged is not None
        assert (judged.stored, judged.verdict) == (stored, verdict)
        assert missing is None
    await redis.execute("UNLINK", record(stored))
    await images.judge(stored.blob.key, NOTE, capability="a")
    await images.describe(stored.blob, "image/png", NOTE, None, ttl=10)
    assert await redis.execute("EXISTS", record(stored)) == 0


async def test_an_image_of_an_older_version_is_served_from_redis(
    storage: Storage, redis: RedisClient
) -> None:
    images, data = Images(storage), os.urandom(3 * PART)
    key = sha256(data).hexdigest()
    fields = ("media_type", "image/png", "bytes", len(data), "data", data)
    await redis.execute("HSET", keys.blob(Kind.IMAGE, key), *fields)
    stored = await images.find(key)
    assert stored is not None
    assert await images.get(stored.blob) == data
    part = [piece async for piece in images.read(stored.blob, 2 * PART, 2 * PART + 5)]
    assert part == [data[2 * PART : 2 * PART + 5]]

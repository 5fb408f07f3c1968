"""Equal bytes in two projects are two images, and nothing of one shows in the other."""

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
from services.runtime.storage.hot import member
from services.runtime.storage.images import Images
from services.runtime.storage.kept import Kept, KeptImages
from services.runtime.storage.lookups import Found, Lookup, Lookups
from services.runtime.storage.parts import PART
from services.runtime.storage.purge import Purge
from services.runtime.storage.records import Kind, NewBlob, Place, StoredBlob, image_key, path_of
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.spool import Spool
from services.runtime.storage.usage import Count
from tests.runtime.storage.conftest import MakeStorage

WEBSITE = "website"
BOTH = (DEFAULT_PROJECT, WEBSITE)


async def keep(
    storage: Storage, project: str, data: bytes, *, kept: bool = True, label: str = ""
) -> StoredBlob:
    """Store an image; keep it if `kept`."""
    images, spool = Images(storage), await Spool.of(data, storage.scratch)
    try:
        stored = await images.keep(spool, ttl=100, project=project, kept=kept)
    finally:
        await spool.close()
    if kept:
        stored = (await lists(storage).settle(stored, ttl=None, label=label)).stored
    return stored


def lists(storage: Storage) -> KeptImages:
    return KeptImages(storage.redis, Images(storage))


async def keep_rendition(storage: Storage, image: StoredBlob, data: bytes) -> Blob:
    """Store a result of an image, as a worker does."""
    blob = Blob(key=sha256(data).hexdigest(), media_type="image/png", bytes=len(data))
    new = NewBlob(blob, data, images=[image.blob.key])
    assert not await Renditions(storage).keep([new], ttl=100, project=image.project)
    return blob


def file(folder: Path, project: str, place: Place, key: str) -> Path:
    return folder / "store" / path_of(place, key, project)


@pytest.mark.parametrize("size", [1, 3 * PART + 100])
async def test_equal_bytes_in_two_projects_are_two_images(either: Storage, size: int) -> None:
    images, data = Images(either), os.urandom(size)
    first, second = [await keep(either, project, data) for project in BOTH]

    assert first.blob.key == first.digest == second.digest == sha256(data).hexdigest()
    assert second.blob.key not in (first.blob.key, "")
    assert (first.project, second.project) == BOTH
    assert (await keep(either, WEBSITE, data)).blob.key == second.blob.key
    for project, other, stored in ((*BOTH, first), (*BOTH[::-1], second)):
        assert await images.get(stored.blob) == data
        assert await images.find_in(project, stored.blob.key) == stored
        assert await images.find_in(other, stored.blob.key) is None

    assert await Purge(either, longest=60).image(DEFAULT_PROJECT, first.blob.key)
    assert await images.find(first.blob.key) is None
    assert await images.get(second.blob) == data


def test_no_upload_to_the_default_project_gets_the_key_of_another_projects_image() -> None:
    digest = sha256(b"image").hexdigest()
    assert image_key(DEFAULT_PROJECT, digest) == digest
    theirs = image_key(WEBSITE, digest)
    assert theirs not in {
        sha256(text.encode()).hexdigest()
        for text in (f"{WEBSITE}\n{digest}", f"{WEBSITE}{digest}", digest)
    }
    assert theirs != image_key("website-2", digest)


async def test_bytes_lie_in_the_folder_of_their_project_and_count_there(
    make: MakeStorage, tmp_path: Path
) -> None:
    storage = make(hot_bytes=1)
    for project in BOTH:
        image = await keep(storage, project, b"image")
        made = await keep_rendition(storage, image, f"made for {project}".encode())
        assert file(tmp_path, project, Place.KEPT, image.blob.key).read_bytes() == b"image"
        assert file(tmp_path, project, Place.RENDITIONS, made.key).is_file()
        assert await Renditions(storage).get(made) == f"made for {project}".encode()

    counts = await storage.usage.counts()
    assert {one: counts[(one, Place.KEPT)] for one in BOTH} == dict.fromkeys(BOTH, Count(1, 5))
    assert counts[(WEBSITE, Place.RENDITIONS)] == Count(1, len("made for website"))

    assert await Purge(storage, longest=60).image(WEBSITE, image.blob.key)
    assert not [path for path in (tmp_path / "store" / WEBSITE).rglob("*") if path.is_file()]
    assert (await storage.usage.counts())[(WEBSITE, Place.KEPT)] == Count()
    assert (await storage.usage.counts())[(DEFAULT_PROJECT, Place.KEPT)] == Count(1, 5)


async def test_the_limit_of_a_project_is_its_own(make: MakeStorage) -> None:
    storage = make(hot_bytes=1, project_bytes=1000)
    await keep(storage, WEBSITE, os.urandom(900))
    with pytest.raises(StoreFull, match="project is full: 100 of 1,000"):
        await keep(storage, WEBSITE, os.urandom(101))
    await keep(storage, DEFAULT_PROJECT, os.urandom(900))


async def test_damaged_bytes_are_noticed_by_their_digest(storage: Storage, tmp_path: Path) -> None:
    data = os.urandom(PART + 1)
    image = await keep(storage, WEBSITE, data)
    file(tmp_path, WEBSITE, Place.KEPT, image.blob.key).write_bytes(bytes(len(data)))

    assert await Images(storage).get(image.blob) is None
    found = await Images(storage).find(image.blob.key)
    assert found is not None
    assert found.damaged
    assert await Images(storage).get((await keep(storage, WEBSITE, data)).blob) == data


async def test_the_list_and_changes_are_those_of_one_project(either: Storage) -> None:
    kept = lists(either)
    own = [await keep(either, project, b"image", label=project) for project in BOTH]
    for project, image, other in zip(BOTH, own, BOTH[::-1], strict=True):
        page = await kept.page(project, 10)
        assert [one.stored.blob.key for one in page.images] == [image.blob.key]
        assert await kept.change(other, image.blob.key, label="theirs", life=1) is None
        assert await kept.find(image.blob.key) == Kept(image, None)
        changed = await kept.change(project, image.blob.key, label="mine")
        assert changed is not None
        assert changed.stored.label == "mine"


async def test_a_lookup_finds_nothing_of_another_project(
    either: Storage, redis: RedisClient
) -> None:
    lookups = Lookups(redis, Images(either), Renditions(either))
    theirs, logo = await keep(either, WEBSITE, b"image"), await keep(either, WEBSITE, b"logo")
    own = await keep(either, DEFAULT_PROJECT, b"image", kept=False)
    made = await keep_rendition(either, theirs, b"made")

    async def find(project: str) -> Found | None:
        wanted = [theirs.blob.key]
        kind = Kind.RENDITION
        return await lookups.find(
            Lookup(project, wanted, rendition=made.key, ttl=5000, bytes_of=kind)
        )

    assert await find(DEFAULT_PROJECT) is None
    assert await redis.execute("TTL", keys.blob(Kind.RENDITION, made.key)) <= 100
    found = await find(WEBSITE)
    assert found is not None
    assert found.rendition is not None
    assert found.rendition.stored.project == WEBSITE

    # A watermark of another project is as one that is not there.
    for watermark in (logo.blob.key, "e" * 64):
        wanted = [own.blob.key, watermark]
        for found in (
            await lookups.find(Lookup(DEFAULT_PROJECT, wanted)),
            await lookups._look(DEFAULT_PROJECT, wanted, None),
        ):
            assert found is not None
            assert found.life == 0


async def test_nobody_deletes_what_another_project_has(either: Storage, redis: RedisClient) -> None:
    purge, image = Purge(either, longest=60), await keep(either, WEBSITE, b"image")
    made = await keep_rendition(either, image, b"made")
    key = image.blob.key

    assert await purge.within(WEBSITE, key) == key
    for project in BOTH:
        assert await purge.within(project, "e" * 64) == "e" * 64
    nothing = await purge.within(DEFAULT_PROJECT, key)
    assert nothing != key
    assert not await purge.image(DEFAULT_PROJECT, nothing)
    assert not await purge.image(DEFAULT_PROJECT, key)
    assert await purge.renditions(DEFAULT_PROJECT, key) == 0
    assert await Images(either).get(image.blob) == b"image"
    assert await Renditions(either).get(made) == b"made"
    assert not await redis.execute("EXISTS", keys.purged(key))

    await redis.execute("UNLINK", keys.blob(Kind.IMAGE, key))
    assert await purge.renditions(DEFAULT_PROJECT, key) == 0
    assert await Renditions(either).get(made) == b"made"
    assert await purge.renditions(WEBSITE, key) == 1


async def test_small_images_and_results_move_to_the_folder_of_their_project(
    make: MakeStorage, tmp_path: Path
) -> None:
    storage = make(hot_bytes=1 << 20)
    image = await keep(storage, WEBSITE, b"passing", kept=False)
    made = await keep_rendition(storage, image, b"made")
    assert (image.place, image.digest) == (None, sha256(b"passing").hexdigest())

    for kind, key in ((Kind.IMAGE, image.blob.key), (Kind.RENDITION, made.key)):
        await storage.hot.move(member(kind, key))
    assert file(tmp_path, WEBSITE, Place.PASSING, image.blob.key).read_bytes() == b"passing"
    assert file(tmp_path, WEBSITE, Place.RENDITIONS, made.key).read_bytes() == b"made"
    assert await Images(storage).get(image.blob) == b"passing"
    assert await Renditions(storage).get(made) == b"made"
    counts = await storage.usage.counts()
    assert {place: count.objects for (_, place), count in counts.items()} == {
        Place.PASSING: 1,
        Place.RENDITIONS: 1,
    }
    assert {project for project, _ in counts} == {WEBSITE}


async def test_an_image_moves_from_redis_to_the_folder_of_its_project(
    make: MakeStorage, tmp_path: Path
) -> None:
    data = os.urandom(2 * PART)
    image = await keep(make(store="redis:"), WEBSITE, data, label="kitchen")
    storage = make()
    assert await storage.moves.move(image.blob.key) == len(data)
    path = file(tmp_path, WEBSITE, Place.KEPT, image.blob.key)
    assert path.read_bytes() == data
    assert path.with_name(path.name + ".json").is_file()
    assert await Images(storage).get(image.blob) == data


async def test_an_open_file_says_the_digest_of_its_bytes(either: Storage) -> None:
    image = await keep(either, WEBSITE, b"image")
    opened = await Images(either).open(image)
    try:
        assert opened.digest == sha256(b"image").hexdigest()
    finally:
        opened.close()
    with pytest.raises(Gone):
        await Images(either).open(StoredBlob(Blob(key="e" * 64, media_type="a/b", bytes=1)))

"""Files of the store stay open for a moment, and no longer."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.runtime.storage import files
from services.runtime.storage.blobs import Storage
from services.runtime.storage.files import File, OpenFiles
from services.runtime.storage.images import Images
from services.runtime.storage.records import Judged, Place, path_of
from services.runtime.storage.spool import Spool
from tests.processes import until


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    path = tmp_path / "image"
    path.write_bytes(b"bytes")
    file = File(os.open(path, os.O_RDONLY), 5, "digest")
    yield file
    file.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_file_is_found_again_with_a_descriptor_of_its_own(file: File) -> None:
    opened = OpenFiles(seconds=60)
    assert opened.find("a") is None
    opened.add("a", file)
    for _ in range(2):
        found = opened.find("a")
        assert found is not None
        assert os.pread(found.descriptor, 9, 0) == b"bytes"
        found.close()
    opened.forget("a")
    assert opened.find("a") is None


async def test_files_are_closed_when_their_time_is_over_or_they_are_too_many(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_OPEN", 3)
    before, opened = descriptors(), OpenFiles(seconds=0.05)
    for key in "abcde":
        opened.add(key, file)
    assert descriptors() == before + 3
    assert opened.find("a") is None
    await until(lambda: descriptors() == before)
    assert opened.find("e") is None


async def test_files_in_memory_have_so_many_bytes_at_most_but_one_is_kept_in_any_case(
    file: File,
) -> None:
    opened = OpenFiles(seconds=60, limit=2 * file.size)
    for key in "abc":
        opened.add(key, file)
    assert [key in opened for key in "abc"] == [False, True, True]
    opened.add("d", replace(file, size=100))
    assert [key in opened for key in "bcd"] == [False, False, True]
    opened.forget("d")


async def test_the_bytes_of_a_small_image_in_redis_come_along_with_its_record_once(
    either: Storage,
) -> None:
    images, data = Images(either), os.urandom(1000)
    stored = await images.keep_bytes(data, ttl=100)
    for came in (data if stored.place is None else None), None:
        [judged] = await images.look([stored.blob.key], capability="c", along={stored.blob.key})
        assert judged is not None
        assert judged.data == came
        file = images.opened(judged)
        if stored.place is None:
            assert file is not None
            assert os.pread(file.descriptor, 2000, 0) == data
            file.close()


async def test_an_image_that_was_opened_is_opened_again_at_once_until_it_is_damaged(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a disk that is far away.
    monkeypatch.setattr(storage.store, "open_at_once", lambda path: None)
    images, data = Images(storage), os.urandom(1000)
    spool = await Spool.of(data, storage.scratch)
    stored = await images.keep(spool, ttl=100, kept=True)
    judged = Judged(stored, None)
    assert images.opened(judged) is None
    (await images.open(stored)).close()
    again = images.opened(judged)
    assert again is not None
    assert os.pread(again.descriptor, 2000, 0) == data
    again.close()

    (tmp_path / "store" / path_of(Place.KEPT, stored.blob.key)).write_bytes(bytes(1000))
    assert await images.report_damaged(stored, "seen by a test")
    assert images.opened(judged) is None


async def test_a_file_is_closed_if_the_process_has_no_descriptor_to_keep_it(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Images(storage)
    spool = await Spool.of(os.urandom(1000), storage.scratch)
    stored = await images.keep(spool, ttl=100, kept=True)
    before = descriptors()
    monkeypatch.setattr(os, "dup", too_many)
    with pytest.raises(OSError, match="Too many"):
        await images.open(stored)
    assert descriptors() == before


def too_many(descriptor: int) -> int:
    raise OSError(errno.EMFILE, "Too many open files")

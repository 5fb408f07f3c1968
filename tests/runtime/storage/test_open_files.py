"""Files of the store stay open for a moment, and no longer."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.storage import files
from services.runtime.storage.blobs import Storage
from services.runtime.storage.files import File, OpenFiles
from services.runtime.storage.images import Images
from services.runtime.storage.records import Place, path_of
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
    opened = OpenFiles()
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
    monkeypatch.setattr(files, "_OPEN_SECONDS", 0.05)
    before, opened = descriptors(), OpenFiles()
    for key in "abcde":
        opened.add(key, file)
    assert descriptors() == before + 3
    assert opened.find("a") is None
    await until(lambda: descriptors() == before)
    assert opened.find("e") is None


async def test_an_image_that_was_opened_is_opened_again_at_once_until_it_is_damaged(
    storage: Storage, tmp_path: Path
) -> None:
    images, data = Images(storage), os.urandom(1000)
    spool = await Spool.of(data, storage.scratch)
    stored = await images.keep(spool, ttl=100, kept=True)
    assert images.opened(stored) is None
    (await images.open(stored)).close()
    again = images.opened(stored)
    assert again is not None
    assert os.pread(again.descriptor, 2000, 0) == data
    again.close()

    (tmp_path / "store" / path_of(Place.KEPT, stored.blob.key)).write_bytes(bytes(1000))
    assert await images.report_damaged(stored, "seen by a test")
    assert images.opened(stored) is None


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

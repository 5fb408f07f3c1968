"""The store on a disk."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.errors import StoreFull, Unavailable
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import MARKER, Missing

PATH = "default/kept/ab/cd/abcd0123"


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def small_disk(one_mebibyte: Path) -> DiskStore:
    """A store on a disk of 1 MiB."""
    return DiskStore(one_mebibyte)


def test_a_full_disk_is_named_and_keeps_no_part_of_a_file(small_disk: DiskStore) -> None:
    small_disk.put("default/kept/first", bytes(600_000))

    with pytest.raises(StoreFull, match="No space left on device"):
        small_disk.put(PATH, bytes(600_000))

    assert files(small_disk.scratch.parent) == ["default/kept/first"]
    small_disk.delete(["default/kept/first"])
    small_disk.put(PATH, bytes(600_000))


def test_a_small_disk_tells_what_is_free(small_disk: DiskStore) -> None:
    free = small_disk.free()
    small_disk.put(PATH, bytes(400_000))

    assert 300_000 < free - small_disk.free() < 500_000


def test_images_leave_a_reserve_and_a_sidecar_may_take_of_it(small_disk: DiskStore) -> None:
    small_disk.put(PATH, bytes(small_disk.free() - 5000))
    left = small_disk.free()
    for size in (left + 1, 10_000):
        with pytest.raises(StoreFull):
            small_disk.put("default/kept/second", bytes(size))
    assert small_disk.free() == left

    for number in range(3):
        small_disk.put(f"default/kept/{number}.json", bytes(1000))
    assert small_disk.free() == 0


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EROFS])
def test_a_broken_disk_is_unavailable_and_tells_no_path(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def broken(*_: object) -> int:
        raise OSError(code, os.strerror(code), "/secret/path")

    disk.put(PATH, b"12345")
    monkeypatch.setattr(os, "pread", broken)

    with pytest.raises(Unavailable, match=os.strerror(code)) as caught:
        list(disk.read(PATH))

    assert "secret" not in caught.value.detail
    assert caught.value.retry_after


def test_a_store_whose_folder_is_gone_is_unavailable_and_makes_no_new_one(disk: DiskStore) -> None:
    disk.scratch.rmdir()
    disk.scratch.parent.rmdir()

    for call in (disk.check, disk.free, lambda: disk.put(PATH, b"12345")):
        with pytest.raises(Unavailable, match="No such file or directory"):
            call()
    assert not disk.scratch.parent.exists()


def test_no_file_of_a_disk_that_was_unmounted_is_called_missing(disk: DiskStore) -> None:
    root = disk.scratch.parent
    disk.put(MARKER, b"{}")
    disk.put(PATH, b"12345")
    root.rename(root.with_name("elsewhere"))
    disk.scratch.mkdir(parents=True)

    calls = (disk.check, lambda: disk.open(PATH), lambda: disk.size(PATH), lambda: [*disk.list()])
    for call in (*calls, lambda: disk.delete([PATH])):
        with pytest.raises(Unavailable, match="is it mounted"):
            call()
    disk.scratch.rmdir()
    root.rmdir()
    root.with_name("elsewhere").rename(root)
    assert disk.size(PATH) == 5
    with pytest.raises(Missing):
        disk.open("default/kept/ab/cd/other")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_what_is_no_ordinary_file_is_missing_and_stops_no_deletion(
    disk: DiskStore, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"a file of the host")
    disk.put(PATH, b"12345")
    disk.put("default/kept/second", b"12345")
    file = disk.scratch.parent / PATH
    file.unlink()
    if kind == "link":
        file.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        os.mknod(file, stat.S_IFSOCK | 0o600)

    with pytest.raises(Missing):
        list(disk.read(PATH, 0, 5))
    disk.delete([PATH, "default/kept/second"])
    assert files(disk.scratch.parent) == []
    assert other.read_bytes() == b"a file of the host"


def test_small_and_large_images_have_the_same_mode(disk: DiskStore, tmp_path: Path) -> None:
    body = disk.scratch / "body"
    body.write_bytes(b"x")
    body.chmod(0o600)
    disk.put("large", body)
    disk.put("small", b"x")
    modes = {(tmp_path / "store" / name).stat().st_mode & 0o777 for name in ("large", "small")}
    assert modes == {0o640}


def test_a_file_that_cannot_be_deleted_keeps_no_other_one(disk: DiskStore) -> None:
    disk.put("file", b"x")
    disk.put("a/other", b"y")
    with pytest.raises(Unavailable):
        disk.delete(["file/below", "a/other"])
    assert disk.size("a/other") is None


def test_a_deletion_leaves_no_empty_folders(disk: DiskStore) -> None:
    disk.put(PATH, b"1")
    disk.put("default/kept/ab/00/2", b"2")
    disk.delete([PATH])
    assert not (disk.scratch.parent / "default/kept/ab/cd").exists()

    disk.delete(["default/kept/ab/00/2"])
    assert list(disk.scratch.parent.iterdir()) == [disk.scratch]


def test_puts_and_deletions_of_one_folder_at_once_lose_nothing(disk: DiskStore) -> None:
    def put_and_delete(number: int) -> None:
        for _ in range(100):
            path = f"default/kept/ab/cd/{number}"
            disk.put(path, b"12345", durable=False)
            assert disk.size(path) == 5
            disk.delete([path])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put_and_delete, range(4)))


def test_only_old_unfinished_files_are_removed(disk: DiskStore) -> None:
    for name, age in (("old", 7200), ("new", 0)):
        (disk.scratch / name).write_bytes(b"12345")
        then = (disk.scratch / name).stat().st_mtime - age
        os.utime(disk.scratch / name, (then, then))

    assert disk.remove_unfinished(older=3600) == 1
    assert files(disk.scratch) == ["new"]


def test_unfinished_files_are_no_objects(disk: DiskStore) -> None:
    (disk.scratch / "body").write_bytes(b"12345")

    assert list(disk.list()) == []
    with pytest.raises(ValueError, match="unfinished"):
        disk.open("tmp/body")


def test_a_durable_put_syncs_the_file_its_folder_and_new_folders(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    root = disk.scratch.parent

    def fsync(descriptor: int) -> None:
        synced.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), root))

    monkeypatch.setattr(os, "fsync", fsync)
    disk.put("a/b/1", b"12345")

    assert synced[0].startswith("tmp/")
    assert synced[1:] == [".", "a", "a/b"]
    synced.clear()
    disk.put("a/b/2", b"12345", durable=False)
    assert synced == []

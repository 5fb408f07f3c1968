"""Copies of a bucket's objects on this host: bounded, whole, and fetched once."""

import fcntl
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from services.runtime.settings import RuntimeSettings
from services.runtime.storage.stores.cache import FileCache
from services.runtime.storage.stores.urls import make_store


def content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def never() -> Iterator[bytes]:
    raise AssertionError("fetched again")
    yield b""


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("copies-*/*"))


def test_an_object_is_fetched_once(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)

    assert content(cache.open("a", lambda: [b"12", b"345"])) == b"12345"
    assert content(cache.open("a", never)) == b"12345"
    assert content(FileCache(tmp_path, 1000).open("a", never)) == b"12345"
    assert content(cache.open("b", lambda: [b"6"])) == b"6"


def test_threads_that_ask_at_once_share_one_fetch(tmp_path: Path) -> None:
    cache, fetched, go = FileCache(tmp_path, 1000), [], threading.Barrier(8)

    def fetch() -> Iterator[bytes]:
        fetched.append(1)
        yield b"123"
        yield b"45"

    def ask(_: int) -> bytes:
        go.wait(10)
        return content(cache.open("a", fetch))

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {b"12345"}
    assert fetched == [1]
    assert list(cache.scratch.iterdir()) == []


def ask_from_a_process(folder: Path) -> bytes:
    def fetch() -> Iterator[bytes]:
        with (folder.parent / "fetched").open("a") as file:
            file.write("1")
        yield b"12345" * 100_000

    return content(FileCache(folder, 10_000_000).open("a", fetch))


@pytest.mark.slow
def test_processes_that_ask_at_once_share_one_fetch(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        answers = set(processes.map(ask_from_a_process, [tmp_path / "cache"] * 6))

    assert answers == {b"12345" * 100_000}
    assert (tmp_path / "fetched").read_text() == "1"


def test_copies_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)
    for number in range(3):
        os.close(cache.open(str(number), lambda: [bytes(300)]))
    for age, number in ((30, 0), (20, 1), (10, 2)):
        used = cache._copy(str(number))
        os.utime(used, (used.stat().st_mtime - age,) * 2)
    os.close(cache.open("0", never))

    os.close(cache.open("3", lambda: [bytes(300)]))

    assert size_of(tmp_path) <= 1000
    os.close(cache.open("0", never))
    os.close(cache.open("3", never))
    assert not cache._copy("1").exists()


def test_the_limit_holds_for_all_processes_of_a_host_together(tmp_path: Path) -> None:
    caches = [FileCache(tmp_path, 1000) for _ in range(3)]

    for number in range(30):
        os.close(caches[number % 3].open(str(number), lambda: [bytes(90)]))
        assert size_of(tmp_path) <= 1000


def test_an_object_above_the_limit_is_opened_and_not_kept(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)

    assert content(cache.open("a", lambda: [bytes(5000)])) == bytes(5000)
    assert size_of(tmp_path) == 0


def test_copies_make_room_on_a_disk_that_is_full(one_mebibyte: Path) -> None:
    cache = FileCache(one_mebibyte, 10_000_000)

    for number in range(4):
        assert content(cache.open(str(number), lambda: [bytes(400_000)])) == bytes(400_000)
    with pytest.raises(OSError, match="No space left"):
        cache.open("large", lambda: [bytes(2_000_000)])
    assert list(cache.scratch.iterdir()) == []


def test_a_fetch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"123"
        raise ConnectionError

    cache = FileCache(tmp_path, 1000)
    with pytest.raises(ConnectionError):
        cache.open("a", broken)

    assert list(cache.scratch.iterdir()) == []
    assert content(cache.open("a", lambda: [b"12345"])) == b"12345"


def test_a_start_removes_copies_of_another_boot_and_those_unused_for_a_day(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)
    os.close(cache.open("a", lambda: [b"12345"]))
    os.close(cache.open("old", lambda: [b"12345"]))
    used = cache._copy("old")
    os.utime(used, (used.stat().st_mtime - 2 * 24 * 3600,) * 2)
    other = tmp_path / "copies-of-another-boot"
    other.mkdir()
    (other / "torn").write_bytes(bytes(5))

    FileCache(tmp_path, 1000)

    assert not other.exists()
    assert not used.exists()
    assert content(cache.open("a", never)) == b"12345"


def test_old_unfinished_files_are_removed(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)
    (cache.scratch / "new").touch()
    (cache.scratch / "old").touch()
    os.utime(cache.scratch / "old", (0, 0))

    assert cache.remove_unfinished(older=3600) == 1
    assert [file.name for file in cache.scratch.iterdir()] == ["new"]


def test_a_descriptor_can_only_read(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)

    for fetch in (lambda: [b"12345"], never):
        descriptor = cache.open("a", fetch)
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        os.close(descriptor)


def test_a_folder_into_which_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    settings = RuntimeSettings(store="s3://photos", store_cache=tmp_path / "cache")

    with pytest.raises(ValueError, match="only the user of this service"):
        make_store(settings)


def test_a_copy_that_could_not_be_counted_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, opened = FileCache(tmp_path, 3), set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "scandir", _broken)
    with pytest.raises(OSError, match="broken"):
        cache.open("a", lambda: [b"12345"])
    assert set(os.listdir("/proc/self/fd")) == opened
    assert os.listdir(cache.scratch) == []  # `iterdir` calls `scandir` from Python 3.13 on


def _broken(folder: Path) -> None:
    raise OSError("broken")

"""Files are opened at once where that needs no disk, and by a thread where it may take a while."""

import os
from pathlib import Path

import pytest

from services.runtime.storage.stores import cached_open
from services.runtime.storage.stores.disk import DiskStore

PATH = "default/kept/ab/cd/abcd0123"


def is_supported(folder: Path) -> bool:
    """Return whether this system opens a file that was written just now."""
    (folder / "file").write_bytes(b"bytes")
    return cached_open.CachedOpen(folder, os.O_RDONLY).open("file") is not None


def test_a_file_that_was_written_just_now_is_opened_at_once(tmp_path: Path) -> None:
    if not is_supported(tmp_path):
        pytest.skip("this kernel, or this disk, does not tell what is in memory")
    disk = DiskStore(tmp_path / "store")
    disk.put(PATH, b"bytes")

    descriptor = disk.open_at_once(PATH)

    assert descriptor is not None
    assert os.pread(descriptor, 9, 0) == b"bytes"
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_what_is_no_ordinary_file_is_left_to_a_thread(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path)
    (tmp_path / "default" / "kept" / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "default" / "kept" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "default" / "kept" / "pipe")

    for name in ("missing", "folder", "link", "pipe"):
        assert disk.open_at_once(f"default/kept/{name}") is None
    with pytest.raises(ValueError, match="no path in a store"):
        disk.open_at_once("../secret")


def test_nothing_is_opened_at_once_on_a_disk_that_may_be_far_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_open, "_LOCAL", frozenset())
    disk = DiskStore(tmp_path)
    disk.put(PATH, b"bytes")

    assert disk.open_at_once(PATH) is None

"""A bounded folder with copies of a bucket's objects, for all processes of this host.

Decoders need a file, and ten sizes of one photograph need it ten times.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

_UNUSED: Final = 24 * 3600.0
"""Seconds without a use after which a copy goes, however much room there is."""

_CLEANING: Final = 3600.0  # seconds from one look for unused copies to the next, at least

_KEPT_PART: Final = 7 / 8
"""Part of the limit that is left when copies go, so that not every fetch removes one."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class FileCache:
    """Copies in `folder`, of `limit` bytes in all. Methods may be called from several threads.

    The time of a file's last change is the time of its last use. Copies are not synced, as a loss
    of power ends their use: they belong to one boot of the host. Methods raise OSError.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._limit = limit
        boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else "boot"
        self._copies = folder / f"copies-{boot}"
        self.scratch = folder / "tmp"
        for used in (self._copies, self.scratch):
            used.mkdir(mode=0o700, exist_ok=True)
        for other in folder.glob("copies-*"):
            if other != self._copies:
                _remove_folder(other)
        self._total = folder / "total"
        with self._locked(self._total) as total:
            self._make_room(limit, total)
        self._clean_after = time.monotonic() + _CLEANING

    def open(self, url: str, fetch: Callable[[], Iterable[bytes]]) -> int:
        """Return a descriptor of the copy of an object, which the caller closes.

        Calls `fetch` for the object's bytes if there is no copy. Of callers who ask at once, in
        whatever process, one fetches.
        """
        copy = self._copy(url)
        with suppress(FileNotFoundError):
            return _use(copy)
        lock = self.scratch / f"{copy.name}.lock"
        try:
            with self._locked(lock):
                with suppress(FileNotFoundError):
                    return _use(copy)
                try:
                    return self._fetch(copy, fetch)
                except OSError as exc:
                    if exc.errno != errno.ENOSPC:
                        raise
                    # Others fill the disk, and copies are the only thing on it to do without.
                    self._empty()
                    return self._fetch(copy, fetch)
        finally:
            # Those who wait for this file find the copy, or fetch on their own.
            lock.unlink(missing_ok=True)

    def forget(self, url: str) -> None:
        """Remove the copy of an object, if there is one."""
        self._copy(url).unlink(missing_ok=True)

    def remove_unfinished(self, *, older: float) -> int:
        """Remove files of `scratch` that nobody has written to for `older` seconds."""
        removed = 0
        for file in self.scratch.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > older:
                    file.unlink()
                    removed += 1
        return removed

    def _copy(self, url: str) -> Path:
        return self._copies / sha256(url.encode()).hexdigest()

    def _fetch(self, copy: Path, fetch: Callable[[], Iterable[bytes]]) -> int:
        written = self.scratch / secrets.token_hex(16)
        try:
            with written.open("xb") as file:
                for piece in fetch():
                    file.write(piece)
            # Only for reading: it is handed to processes that decode what strangers send.
            descriptor = os.open(written, os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        try:
            self._add(written, copy, os.fstat(descriptor).st_size)
        except BaseException:
            os.close(descriptor)
            written.unlink(missing_ok=True)
            raise
        return descriptor

    def _add(self, written: Path, copy: Path, size: int) -> None:
        """Make a written file a copy, and count it."""
        with self._locked(self._total) as total:
            os.replace(written, copy)
            known = int(os.pread(total, 20, 0) or b"0") + size
            if known > self._limit or time.monotonic() > self._clean_after:
                self._make_room(int(self._limit * _KEPT_PART), total)
                self._clean_after = time.monotonic() + _CLEANING
            else:
                _write_number(total, known)

    def _empty(self) -> None:
        with self._locked(self._total) as total:
            self._make_room(0, total)

    def _make_room(self, limit: int, total: int) -> None:
        """Keep the copies that were used last, up to `limit` bytes; write their size to `total`."""
        found: list[tuple[float, int, str]] = []
        with os.scandir(self._copies) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    about = entry.stat()
                    found.append((about.st_mtime, about.st_size, entry.path))
        kept, oldest = 0, time.time() - _UNUSED
        for used, size, file in sorted(found, reverse=True):
            if kept + size <= limit and used > oldest:
                kept += size
            else:
                with suppress(FileNotFoundError):
                    os.unlink(file)
        _write_number(total, kept)

    @contextmanager
    def _locked(self, file: Path) -> Iterator[int]:
        """Wait for the lock of a file, which is made if needed, and yield its descriptor."""
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Between two descriptors, in one process as well.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _use(copy: Path) -> int:
    descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    os.utime(descriptor)
    return descriptor


def _write_number(descriptor: int, number: int) -> None:
    os.pwrite(descriptor, b"%-20d" % number, 0)


def _remove_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        folder.rmdir()

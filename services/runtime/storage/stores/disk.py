"""A store in a folder on a disk, which all services of one Darkroom have."""

import errno
import os
import secrets
import stat
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from contracts.errors import ServiceError, Unavailable
from services.runtime.storage.stores.cached_open import CachedOpen
from services.runtime.storage.stores.failures import RETRY_AFTER, disk_failure
from services.runtime.storage.stores.paths import check_path
from services.runtime.storage.stores.store import CHUNK, MARKER, Missing, StoredObject

_SCRATCH = "tmp"
_PAGE = 1000  # objects
_RESERVE = 64 << 20  # bytes that are left to others on the disk, or less of a small one
_RESERVED_PART = 20  # of which the reserve is one at most
_SMALL = 4096  # bytes of a file that may take of the reserve: a sidecar, which a promise needs
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO})  # a link; a socket or a device
_ATTEMPTS = 10  # a deletion may take an empty folder away while a file is moved there


@contextmanager
def _named() -> Iterator[None]:
    """Raise errors of the operating system as failures by name."""
    try:
        yield
    except OSError as exc:
        raise disk_failure(exc) from exc


_MODE = 0o640  # of every file: a group may read all, for backups


class DiskStore:
    """Objects as files below `root`, and files that are being written in `root/tmp`.

    A file has its name only when it is complete: it is renamed, which is one step for everybody
    who looks. Raises OSError if the folder can't be made.

    A disk that was unmounted leaves an empty folder, in which every file is missing. So a file
    counts as missing only while the scratch folder is there, and the marker, once it was seen.
    """

    name = "disk"

    def __init__(self, root: Path) -> None:
        self._root = root
        self.address = f"file://{root}"
        self.scratch = root / _SCRATCH
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._has_marker = False
        self._cached = CachedOpen(root, _READ)

    def put(self, path: str, content: bytes | Path, *, durable: bool = True) -> None:
        """Store bytes, or a file of `scratch`, which is moved; replace what is there."""
        target = self._file(path)
        with _named():
            if isinstance(content, Path):
                content.chmod(_MODE)
                if durable:
                    _sync(content)
                self._move(content, target, durable=durable)
                return
            if len(content) > _SMALL:
                check_reserve(self.scratch, len(content))
            written = self.scratch / secrets.token_hex(16)
            try:
                _write(written, content, durable=durable)
                self._move(written, target, durable=durable)
            except OSError:
                with suppress(OSError):
                    written.unlink(missing_ok=True)
                raise

    def read(
        self, path: str, start: int = 0, stop: int | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` to `stop` in pieces. Raises Missing, before the first."""
        file = self.open(path)
        try:
            while stop is None or start < stop:
                size = CHUNK if stop is None else min(CHUNK, stop - start)
                with _named():
                    piece = os.pread(file, size, start)
                if not piece:
                    return
                start += len(piece)
                yield piece
        finally:
            os.close(file)

    def open(self, path: str) -> int:
        """Return a descriptor of the file; the caller closes it. Raises Missing.

        What is no ordinary file counts as missing: a link could lead to any file of this host, and
        a pipe would hold up its reader.
        """
        file = self._file(path)
        with _named():
            try:
                descriptor = os.open(file, _READ)
            except FileNotFoundError:
                self._check_mounted()
                raise Missing(path) from None
            except OSError as exc:
                if exc.errno in _NO_FILE:
                    raise Missing(path) from None
                raise
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise Missing(path)
        self._has_marker = self._has_marker or path == MARKER
        return descriptor

    def open_at_once(self, path: str) -> int | None:
        """Return a descriptor as `open` does, if that needs no disk, else None."""
        check_path(path)
        return self._cached.open(path)

    def forget(self, path: str) -> None:
        """Do nothing: there are no copies."""

    def size(self, path: str) -> int | None:
        """Return the number of bytes at a path; None if there are none."""
        file = self._file(path)
        with _named():
            try:
                return file.stat().st_size
            except FileNotFoundError:
                self._check_mounted()
                return None

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files, and folders that have become empty; the first failure is raised at last."""
        failures: list[ServiceError] = []
        for path in paths:
            try:
                self._delete(path)
            except ServiceError as exc:
                failures.append(exc)
        if failures:
            raise failures[0]

    def _delete(self, path: str) -> None:
        file = self._file(path)
        with _named():
            try:
                file.unlink()
            except FileNotFoundError:
                self._check_mounted()
            except IsADirectoryError:  # nobody here has made it, and no object is there
                return
        with suppress(OSError):  # the first folder that is not empty, or is gone already
            for folder in file.parents[: path.count("/")]:
                folder.rmdir()

    def list(self, prefix: str = "") -> Generator[Sequence[StoredObject], None, None]:
        """Yield the objects below a folder in pages, in the order of their paths' names."""
        start = self._file(prefix.rstrip("/")) if prefix else self._root
        page: list[StoredObject] = []
        for one in self._walk(start):
            page.append(one)
            if len(page) == _PAGE:
                yield page
                page = []
        if page:
            yield page
        with _named():
            self._check_mounted()

    def remove_unfinished(self, *, older: float) -> int:
        """Delete files of `scratch` that nobody has written to for `older` seconds."""
        removed = 0
        with _named(), os.scandir(self.scratch) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > older:
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def free(self) -> int:
        """Return the bytes that still fit, less a reserve for others on the same disk."""
        with _named():
            return free_bytes(self.scratch)

    def check(self) -> None:
        """Raise Unavailable if the disk is not mounted, or was made read-only after an error."""
        with _named():
            disk = os.statvfs(self.scratch)
        if disk.f_flag & os.ST_RDONLY:
            raise Unavailable("The disk of the store is read-only.", retry_after=RETRY_AFTER)
        with _named():
            self._check_mounted()

    def _check_mounted(self) -> None:
        """Raise Unavailable, or OSError, if nothing of the store is there."""
        self.scratch.stat()
        if self._has_marker and not (self._root / MARKER).exists():
            detail = f"The disk of the store has no {MARKER} any more: is it mounted?"
            raise Unavailable(detail, retry_after=RETRY_AFTER)

    def _file(self, path: str) -> Path:
        check_path(path)
        if path.partition("/")[0] == _SCRATCH:
            raise ValueError(f"{path[:80]!r} is in the folder of unfinished files")
        return self._root / path

    def _move(self, file: Path, target: Path, *, durable: bool) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self._make_folder(target.parent, durable=durable)
                os.replace(file, target)
            except FileNotFoundError:
                if not file.exists():
                    raise
                continue
            if durable:
                with suppress(FileNotFoundError):  # deleted already, with its folder
                    _sync(target.parent)
            self._has_marker = self._has_marker or target == self._root / MARKER
            return
        raise Unavailable("The folders of the store vanish.", retry_after=RETRY_AFTER)

    def _make_folder(self, folder: Path, *, durable: bool) -> None:
        """Make a folder and those above it; with `durable`, each is written into the one above."""
        try:
            folder.mkdir()
        except FileExistsError:
            return
        except FileNotFoundError:
            self._make_folder(folder.parent, durable=durable)
            self._make_folder(folder, durable=durable)
            return
        if durable:
            _sync(folder.parent)

    def _walk(self, folder: Path) -> Iterator[StoredObject]:
        with _named():
            try:
                with os.scandir(folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if folder != self._root or entry.name != _SCRATCH:
                    yield from self._walk(Path(entry.path))
                continue
            with _named(), suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                path = os.path.relpath(entry.path, self._root)
                yield StoredObject(path, about.st_size, about.st_mtime)


def free_bytes(folder: Path) -> int:
    """Return the bytes that fit on the disk of a folder, less the reserve. Raises OSError."""
    disk = os.statvfs(folder)
    if disk.f_files and not disk.f_favail:
        return 0  # no file more, however small
    reserve = min(_RESERVE, disk.f_blocks * disk.f_frsize // _RESERVED_PART)
    return max(0, disk.f_bavail * disk.f_frsize - reserve)


def check_reserve(folder: Path, size: int) -> None:
    """Raise OSError, as a full disk does, if `size` bytes more would take of the reserve."""
    if free_bytes(folder) < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _write(file: Path, content: bytes, *, durable: bool) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

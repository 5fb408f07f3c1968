"""A lock for the data folder: two servers that append to the same file would corrupt it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devserver.errors import CannotRun


@contextmanager
def lock_folder(folder: Path) -> Iterator[IO[str]]:
    """Yield the locked file `lock` in the folder; the folder is made if needed.

    The lock is held while this process, or a child that has inherited the file, keeps it open. The
    file has the process ids of the holders; the first is the one to stop. Raises CannotRun when
    another process holds the lock, or when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as exc:
        raise CannotRun(f"cannot keep Valkey's data in {folder}: {exc}") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            holders = [pid for pid in lock.read().split() if _is_alive(int(pid))]
            hint = f": stop it first (kill {holders[0]})" if holders else ""
            raise CannotRun(f"another Darkroom runs on the data in {folder}{hint}") from exc
        lock.truncate(0)
        add_holder(lock, os.getpid())
        yield lock


def add_holder(lock: IO[str], pid: int) -> None:
    """Write the process id of a holder to the lock file."""
    lock.write(f"{pid} ")
    lock.flush()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

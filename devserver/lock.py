"""One Darkroom to a data folder: two servers appending to the same file would ruin it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devserver.errors import CannotRun


@contextmanager
def claim(folder: Path) -> Iterator[IO[str]]:
    """The folder's lock, held as long as we, or a process it was passed to, have it open.

    Whoever holds it writes its process id there, the one to stop first before the others.
    Raises CannotRun when another has it.
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
            holders = [pid for pid in lock.read().split() if _lives(int(pid))]
            hint = f": stop it first (kill {holders[0]})" if holders else ""
            raise CannotRun(f"another Darkroom runs on the data in {folder}{hint}") from exc
        lock.truncate(0)
        sign(lock, os.getpid())
        yield lock


def sign(lock: IO[str], pid: int) -> None:
    lock.write(f"{pid} ")
    lock.flush()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

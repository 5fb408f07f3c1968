"""Originals in a folder of the gateway's host."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from contracts.errors import NotFound, SourceUnavailable
from services.gateway.sources.configuration import FolderSource
from services.gateway.sources.kinds.origin import Body, Lifetime, NoImageThere, Reply, Validators
from services.gateway.sources.kinds.threads import Threads
from services.runtime.storage.stores.store import CHUNK

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_MISSING = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG),
        errno.ELOOP,  # a link in place of what was no link a moment ago
        errno.ENXIO,  # a socket
    }
)

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Opened:
    """A file that is open, with its first piece unless its validators are known."""

    descriptor: int
    facts: os.stat_result
    piece: bytes


class FolderOrigin:
    """Reads plain files below a root. Symbolic links count while they stay below it."""

    def __init__(self, source: FolderSource) -> None:
        self._root = Path(os.path.realpath(source.root))
        self._lifetime = Lifetime(
            source.fresh, source.stale_while_revalidate, source.stale_if_error
        )
        self._threads = Threads("folder-source", source.connections)

    async def ask(self, place: str, known: Validators | None, body: Body) -> Reply:
        """Read a file. Its validator is made of the moment of its last change and of its size."""
        etag = known.etag if known else ""
        opened = await self._call(lambda: self._begin(place, etag), undo=_close)
        try:
            file, facts, piece = opened.descriptor, opened.facts, opened.piece
            validators = Validators(etag=_tag(facts))
            if validators == known:
                return Reply(False, self._lifetime, validators)
            size = facts.st_size
            body.expect(size)
            position = 0
            while piece:
                position += len(piece)
                await body.write(piece)
                if position >= size:
                    break
                piece = await self._call(partial(os.pread, file, CHUNK, position))
            if position != size or _tag(os.fstat(file)) != _tag(facts):
                raise NoImageThere("The file was changed while it was read.", retry_after=1)
            return Reply(True, self._lifetime, validators)
        finally:
            # A read of a cancelled call may still run in its thread; it moves no position.
            _close(opened)

    async def close(self) -> None:
        """End the threads."""
        self._threads.close()

    async def _call(
        self, call: Callable[[], _Result], undo: Callable[[_Result], None] | None = None
    ) -> _Result:
        try:
            return await self._threads.call(call, undo=undo)
        except OSError as exc:
            if exc.errno in _MISSING:
                raise _missing() from exc
            detail = f"The folder of the source can't be read ({exc.strerror})."
            raise SourceUnavailable(detail, retry_after=5) from exc

    def _begin(self, place: str, etag: str) -> _Opened:
        descriptor = self._open(place)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise _missing()
            piece = b"" if _tag(facts) == etag else os.pread(descriptor, CHUNK, 0)
        except BaseException:
            os.close(descriptor)
            raise
        return _Opened(descriptor, facts, piece)

    def _open(self, place: str) -> int:
        """Return a descriptor of a file. Raises NotFound and OSError.

        The path without links is opened name by name, and no name may be a link by then.
        """
        real = Path(os.path.realpath(self._root / place))
        if not real.is_relative_to(self._root):
            raise _missing()
        parts = real.relative_to(self._root).parts
        if not parts or any(part.startswith(".") for part in parts):
            raise _missing()
        folder = os.open(self._root, _FLAGS | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _FLAGS | os.O_DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = inner
            # Without waiting for the writer of a pipe.
            return os.open(parts[-1], _FLAGS | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)


def _tag(facts: os.stat_result) -> str:
    return f"{facts.st_mtime_ns:x}-{facts.st_size:x}"


def _missing() -> NotFound:
    return NotFound("The source has no image at this path.")


def _close(opened: _Opened) -> None:
    with suppress(OSError):
        os.close(opened.descriptor)

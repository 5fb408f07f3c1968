"""Configuration files that are read at start, and again when the process receives SIGHUP.

A file that is bad at start ends the start. A file that is bad later changes nothing: the content
of the last good one stays in force, and the log says why.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

_LARGEST = 1 << 20  # bytes

ContentT = TypeVar("ContentT")


class FileRefused(ValueError):
    """A configuration file can't be used; the text names the setting, the file and the line."""


class ReloadedFile(Generic[ContentT]):
    """A configuration file in its parsed form."""

    def __init__(self, setting: str, path: Path, parse: Callable[[str], ContentT]) -> None:
        """Read the file that a setting names. Raises FileRefused.

        `parse` raises ValueError with a sentence for people, or a `LineRefused`.
        """
        self._setting = setting
        self._path = path
        self._parse = parse
        self.content = self._read()
        """The content that is in force."""
        self.generation = 0
        """Number of times the content was replaced, for keys of caches."""

    def reload(self) -> None:
        """Read the file again; keep the content in force if the file can't be used now."""
        try:
            content = self._read()
        except FileRefused as exc:
            log.error("configuration file not read again; the former stays", reason=str(exc))
            return
        self.content = content
        self.generation += 1
        log.info("configuration file read again", setting=self._setting, path=str(self._path))

    def _read(self) -> ContentT:
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST + 1)
            if len(data) > _LARGEST:
                raise ValueError(f"it has more than {_LARGEST:,} bytes")
            return self._parse(data.decode())
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        except UnicodeDecodeError:
            reason = "it is not UTF-8"
        except ValueError as exc:
            reason = str(exc)
        # Without its cause: pydantic's would repeat values, which may be secrets.
        raise FileRefused(f"{self._setting}: {self._path}: {reason}") from None


class HangUp:
    """Reads files again on SIGHUP, and calls `on_change` once one of them has another content."""

    def __init__(
        self, files: Sequence[ReloadedFile[Any]], *, on_change: Callable[[], None]
    ) -> None:
        self._files = files
        self._on_change = on_change

    async def watch(self) -> None:
        """Take SIGHUP over, if there are files: without one it ends the process as before.

        Does nothing outside the main thread, which alone may install signal handlers.
        """
        if self._files and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)

    def reload(self) -> None:
        """Read every file again."""
        before = [file.generation for file in self._files]
        for file in self._files:
            file.reload()
        if before != [file.generation for file in self._files]:
            self._on_change()

"""The record of a folder of results: the source of each file, and whether the file is complete.

The record is the file `.darkroom.jsonl` in the folder; lines are only appended. One line reserves a
name for a source before a file is written under that name; a second line follows once the file is
complete. A file with the first line alone was interrupted, and is fetched again. A file without a
line is not a result, and is never overwritten.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from pathlib import Path

from darkroom.sources import SourceFile

_FILE_NAME = ".darkroom.jsonl"


@dataclass(frozen=True)
class _Entry:
    """A line of the file; the field names are its JSON keys. Paths are relative to the folder."""

    file: str
    source: str
    key: str  # the idempotency key: the source's bytes and the pipeline
    turn: int  # 1 for the key's first job, 2 for the one after it has failed, and so on
    bytes: int | None = None  # the size of the result once it is complete


class Manifest:
    """Chooses file names for results in `folder`, and records them.

    Only one process at a time may use a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._file = self._folder / _FILE_NAME
        self._taken: set[str] = set()
        self._by_file: dict[str, _Entry] = {}
        self._by_render: dict[tuple[str, str], _Entry] = {}
        self._last_line_is_torn = False
        if self._file.exists():
            self._read()

    def is_result(self, path: Path) -> bool:
        """Return whether a render has written this file."""
        return self._relative(path.resolve()) in self._by_file

    def protect(self, sources: Sequence[SourceFile]) -> None:
        """Exclude the paths of `sources` from the names that `choose_target` gives."""
        self._taken.update(_normalised(source.path.resolve()) for source in sources)

    def choose_target(self, source: SourceFile, suffix: str) -> Path:
        """Return a free path for the result: the source's name, or `name-2`, `name-3` and so on.

        A source gets the path of the previous run again, whichever files have been added since.
        """
        source_name = self._relative_source(source)
        marks = chain([""], (f"-{number}" for number in count(2)))
        targets = (self._folder / f"{source.name}{mark}{suffix}" for mark in marks)
        target = next(target for target in targets if self._is_free(target, source_name))
        self._taken.add(_normalised(target))
        return target

    def complete_result(self, source: SourceFile, key: str) -> Path | None:
        """Return the path of the result for this source and key, or None.

        None as well when another result has replaced it, or when its size differs from the record.
        """
        entry = self._by_render.get((self._relative_source(source), key))
        if entry is None or self._by_file[entry.file] != entry:
            return None
        target = self._folder / entry.file
        try:
            return target if target.stat().st_size == entry.bytes else None
        except FileNotFoundError:
            return None

    def attempt(self, source: SourceFile, key: str) -> int:
        """Return the number of the current job for this source and key; 1 for the first."""
        entry = self._by_render.get((self._relative_source(source), key))
        return 1 if entry is None else entry.turn

    def reserve(self, target: Path, source: SourceFile, key: str, attempt: int) -> None:
        """Record, before anything is written, the source, key and job of the path `target`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        name = self._relative(target)
        self._append(_Entry(name, self._relative_source(source), key, attempt))

    def mark_complete(self, target: Path) -> None:
        """Record that the result at `target` is complete, with its size.

        Raises KeyError for a path that was not reserved.
        """
        entry = self._by_file[self._relative(target)]
        self._append(replace(entry, bytes=target.stat().st_size))

    def _is_free(self, target: Path, source_name: str) -> bool:
        if _normalised(target) in self._taken:
            return False
        entry = self._by_file.get(self._relative(target))
        return entry.source == source_name if entry is not None else not os.path.lexists(target)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._folder)

    def _relative_source(self, source: SourceFile) -> str:
        return self._relative(source.path.resolve())

    def _read(self) -> None:
        text = self._file.read_text(encoding="utf-8")
        self._last_line_is_torn = not text.endswith("\n")
        for line in text.splitlines():
            # After a crash the last line may be cut off; its result is then fetched again.
            with suppress(ValueError, TypeError):
                self._index(_Entry(**json.loads(line)))

    def _append(self, entry: _Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        line_break = "\n" if self._last_line_is_torn else ""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{line_break}{json.dumps(asdict(entry))}\n")
        self._last_line_is_torn = False
        self._index(entry)

    def _index(self, entry: _Entry) -> None:
        self._by_file[entry.file] = entry
        self._by_render[entry.source, entry.key] = entry


def _normalised(path: Path) -> str:
    """Fold case: some file systems do not distinguish it."""
    return str(path).casefold()

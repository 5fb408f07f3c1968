"""The folder of results: whose each file is, and which are complete, kept in `.darkroom.jsonl`.

A line of that file says that a name is a photograph's before anything is written under it, and
another that the result is there once it is. What was cut off between the two is fetched again; what
has no line is somebody else's and never written over.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from pathlib import Path

from darkroom.photos import Photo

_MANIFEST = ".darkroom.jsonl"


@dataclass(frozen=True)
class _Line:
    file: str
    source: str
    key: str  # of the work: what is done with which bytes
    turn: int  # which job does it, if others came to nothing
    bytes: int | None = None  # once the result is there


class Album:
    """Gives photographs their places in `folder`, and remembers. One process at a time uses it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._manifest = self._folder / _MANIFEST
        self._taken: set[str] = set()
        self._lines: dict[str, _Line] = {}
        self._works: dict[tuple[str, str], _Line] = {}
        self._torn = False
        if self._manifest.exists():
            self._read()

    def is_result(self, path: Path) -> bool:
        """Whether the file was put here by a render."""
        return self._name(path.resolve()) in self._lines

    def protect(self, photos: Sequence[Photo]) -> None:
        """Give nobody a place where one of `photos` lies."""
        self._taken.update(_alike(photo.path.resolve()) for photo in photos)

    def place(self, photo: Photo, suffix: str) -> Path:
        """Where the result belongs: its own name, or that with the first number that is free.

        A photograph has the same place again in the next run, whatever came beside it.
        """
        source = self._source(photo)
        marks = chain([""], (f"-{number}" for number in count(2)))
        targets = (self._folder / f"{photo.name}{mark}{suffix}" for mark in marks)
        target = next(target for target in targets if self._is_free(target, source))
        self._taken.add(_alike(target))
        return target

    def held(self, photo: Photo, key: str) -> Path | None:
        """Where the result of the work `key` is, if it is there and as long as it was."""
        line = self._works.get((self._source(photo), key))
        if line is None or self._lines[line.file] != line:
            return None
        target = self._folder / line.file
        try:
            return target if target.stat().st_size == line.bytes else None
        except FileNotFoundError:
            return None

    def turn(self, photo: Photo, key: str) -> int:
        """Which job is to do the work `key`: the first, unless others came to nothing."""
        line = self._works.get((self._source(photo), key))
        return 1 if line is None else line.turn

    def claim(self, target: Path, photo: Photo, key: str, turn: int) -> None:
        """Note whose the place is, before anything is there, and which job is to fill it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._note(_Line(self._name(target), self._source(photo), key, turn))

    def complete(self, target: Path) -> None:
        """Note that the result is there now."""
        line = self._lines[self._name(target)]
        self._note(replace(line, bytes=target.stat().st_size))

    def _is_free(self, target: Path, source: str) -> bool:
        if _alike(target) in self._taken:
            return False
        line = self._lines.get(self._name(target))
        return line.source == source if line is not None else not os.path.lexists(target)

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._folder)

    def _source(self, photo: Photo) -> str:
        return self._name(photo.path.resolve())

    def _read(self) -> None:
        text = self._manifest.read_text(encoding="utf-8")
        self._torn = not text.endswith("\n")
        for line in text.splitlines():
            # The last one may be cut off; its file is then fetched once more.
            with suppress(ValueError, TypeError):
                self._remember(_Line(**json.loads(line)))

    def _note(self, line: _Line) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._manifest.open("a", encoding="utf-8") as manifest:
            manifest.write(f"{chr(10) * self._torn}{json.dumps(asdict(line))}\n")
        self._torn = False
        self._remember(line)

    def _remember(self, line: _Line) -> None:
        self._lines[line.file] = line
        self._works[line.source, line.key] = line


def _alike(path: Path) -> str:
    """The same for two names that some file systems can't tell apart."""
    return str(path).casefold()

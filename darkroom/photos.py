"""The photographs that a command line names: files, and the pictures in folders."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from contracts.formats import Format

# BMP and JPEG 2000 are images that no gateway reads: the gateway's refusal is reported, instead of
# leaving them out silently.
SUFFIXES = frozenset(suffix for format in Format for suffix in format.spec.suffixes) | {
    ".bmp",
    ".jp2",
}


@dataclass(frozen=True)
class Photo:
    """A file, and the name of its result in the folder of results, without a suffix."""

    path: Path
    name: PurePath


def find(
    given: Sequence[Path], *, recursive: bool, is_result: Callable[[Path], bool]
) -> list[Photo]:
    """Every photograph once, in the order given; those of a folder by name, without the results.

    What lies in a folder keeps its place below it. Names that begin with a dot are passed over.
    """
    photos: dict[Path, Photo] = {}
    for path in given:
        if path.is_dir():
            for found in _pictures_in(path, recursive):
                if not is_result(found):
                    name = found.relative_to(path).with_suffix("")
                    photos.setdefault(found.resolve(), Photo(found, name))
        else:
            photos.setdefault(path.resolve(), Photo(path, PurePath(path.stem)))
    return list(photos.values())


def _pictures_in(folder: Path, recursive: bool) -> Iterator[Path]:
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path

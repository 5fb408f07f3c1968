"""Find the image files that a command line names: files, and the images in folders."""

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
class SourceFile:
    """A file, and its result's name, without a suffix and relative to the folder of results."""

    path: Path
    name: PurePath


def find_sources(
    given: Sequence[Path], *, recursive: bool, is_result: Callable[[Path], bool]
) -> list[SourceFile]:
    """Return each image file once, in the order given; files of a folder in the order of names.

    A file in a folder keeps its path below that folder as its name. Hidden files, and results of
    an earlier render (`is_result`), are left out of folders.
    """
    sources: dict[Path, SourceFile] = {}
    for path in given:
        if path.is_dir():
            for found in _images_in(path, recursive):
                if not is_result(found):
                    name = found.relative_to(path).with_suffix("")
                    sources.setdefault(found.resolve(), SourceFile(found, name))
        else:
            sources.setdefault(path.resolve(), SourceFile(path, PurePath(path.stem)))
    return list(sources.values())


def _images_in(folder: Path, recursive: bool) -> Iterator[Path]:
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path

"""The judges' files are many, of every format, and the same ones in each run."""

from collections import Counter

from bench.exact.pictures.every import few_stills, stills
from contracts.formats import Format, format_of_bytes


def test_every_format_has_files() -> None:
    counted = Counter(format_of_bytes(data) for _, data in stills())

    assert all(counted[format] >= 20 for format in Format), counted
    assert len(stills()) >= 600


def test_each_file_has_a_name_of_its_own() -> None:
    names = Counter(name for name, _ in stills())

    assert [name for name, count in names.items() if count > 1] == []


def test_few_files_are_quick() -> None:
    quick = few_stills()

    assert len(quick) < len(stills()) / 10
    assert {format_of_bytes(data) for _, data in quick} == set(Format)

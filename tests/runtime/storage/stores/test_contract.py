"""Every store does the same, on a disk and on real S3 servers."""

import os
import random
from collections.abc import Iterable, Sequence
from itertools import chain

import pytest

from services.runtime.storage.stores.store import CHUNK, Missing, Store, StoredObject

PATH = "default/kept/ab/cd/abcd0123"
BYTES = random.Random(1).randbytes(3 * CHUNK + 17)


def whole(store: Store, path: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join(store.read(path, start, stop))


def paths(pages: Iterable[Sequence[StoredObject]]) -> list[str]:
    return [one.path for one in chain.from_iterable(pages)]


def test_what_is_put_is_read(store: Store) -> None:
    for size in (0, 1, CHUNK, len(BYTES)):
        store.put(PATH, BYTES[:size])
        assert whole(store, PATH) == BYTES[:size]
        assert store.size(PATH) == size


def test_a_file_of_the_scratch_folder_is_stored(store: Store) -> None:
    scratch = store.scratch / "body"
    scratch.write_bytes(BYTES)

    store.put(PATH, scratch)

    assert whole(store, PATH) == BYTES


def test_no_piece_is_larger_than_a_chunk(store: Store) -> None:
    store.put(PATH, BYTES)

    pieces = [len(piece) for piece in store.read(PATH)]

    assert max(pieces) <= CHUNK
    assert sum(pieces) == len(BYTES)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 1),
        (5, 5),
        (CHUNK - 1, CHUNK + 1),
        (len(BYTES) - 1, None),
        (len(BYTES) - 9, len(BYTES) + 9),
        (len(BYTES), None),
    ],
)
def test_a_range_is_read(store: Store, start: int, stop: int | None) -> None:
    store.put(PATH, BYTES)

    assert whole(store, PATH, start, stop) == BYTES[start:stop]


def test_what_is_missing_is_missing(store: Store) -> None:
    assert store.size(PATH) is None
    with pytest.raises(Missing):
        whole(store, PATH)
    with pytest.raises(Missing):
        whole(store, PATH, 5, 9)
    with pytest.raises(Missing):
        store.open(PATH)
    store.delete([PATH])


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.put(PATH, BYTES)
    store.put(PATH, b"short")

    assert whole(store, PATH) == b"short"
    assert store.size(PATH) == 5


def test_an_opened_file_has_the_bytes_even_after_their_deletion(store: Store) -> None:
    store.put(PATH, BYTES)
    descriptor = store.open(PATH)
    store.delete([PATH])

    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == BYTES


def test_objects_are_listed_by_folder(store: Store) -> None:
    names = [f"default/{name}" for name in ("kept/ab/cd/1", "kept/ab/cd/2", "passing/ff/00/3")]
    for name in names:
        store.put(name, name.encode())
    store.put("other/kept/1", b"")

    assert sorted(paths(store.list("default"))) == names
    assert sorted(paths(store.list("default/kept"))) == names[:2]
    assert sorted(paths(store.list())) == [*names, "other/kept/1"]
    assert paths(store.list("default/ke")) == []
    assert paths(store.list("nothing")) == []


def test_a_listed_object_has_its_size_and_its_time(store: Store) -> None:
    store.put(PATH, b"12345")

    [[listed]] = list(store.list("default"))

    assert (listed.path, listed.size) == (PATH, 5)
    assert abs(listed.modified - os.stat(store.scratch).st_mtime) < 60


def test_a_deletion_takes_many_and_those_that_are_missing(store: Store) -> None:
    names = [f"default/kept/{number}" for number in range(5)]
    for name in names:
        store.put(name, b"x")

    store.delete([*names[:4], "default/kept/missing"])
    store.delete([])

    assert paths(store.list()) == names[4:]


@pytest.mark.parametrize(
    "path", ["../out", "a/../b", "/etc/passwd", "a//b", "a/", ".hidden", "a\0b", "", "é", "x" * 600]
)
def test_a_path_that_might_leave_the_store_is_refused(store: Store, path: str) -> None:
    for call in (store.size, store.open, lambda path: store.put(path, b"")):
        with pytest.raises(ValueError, match="is no path in a store"):
            call(path)
    with pytest.raises(ValueError, match="is no path in a store"):
        store.delete([path])


def test_a_healthy_store_passes_its_check(store: Store) -> None:
    store.check()

    free = store.free()
    assert free is None or free > 0

"""Bodies in memory and in files, before a store has them."""

import asyncio
import errno
import os
import stat
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import StoreFull, Unavailable
from services.runtime.storage.spool import HEAD, Spool, SpoolMemory
from services.runtime.storage.stores.store import CHUNK
from tests.processes import until


async def spooled(scratch: Path, *pieces: bytes, memory: SpoolMemory | None = None) -> Spool:
    spool = Spool(scratch, memory)
    for piece in pieces:
        await spool.write(piece)
    await spool.finish()
    return spool


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, HEAD, CHUNK, CHUNK + 1, 3 * CHUNK, 5_000_000])
@pytest.mark.parametrize("step", [1000, 70_000, 10_000_000])
async def test_a_body_is_the_same_whatever_its_pieces_are(
    tmp_path: Path, size: int, step: int
) -> None:
    data = os.urandom(size)
    spool = await spooled(tmp_path, *(data[at : at + step] for at in range(0, size, step)))

    assert spool.size == size
    assert spool.digest == sha256(data).hexdigest()
    assert spool.head == data[:HEAD]
    for length in (CHUNK, CHUNK - 64, 100_000):
        pieces = [piece async for piece in spool.pieces(length)]
        assert b"".join(pieces) == data
        assert all(len(piece) == length for piece in pieces[:-1])
    content = spool.content
    assert (content if isinstance(content, bytes) else content.read_bytes()) == data
    assert isinstance(content, bytes) == (size <= CHUNK)
    await spool.close()


@pytest.mark.parametrize(
    ("size", "limit", "in_memory"),
    [
        (4 << 20, 4 << 20, True),
        ((4 << 20) + 1, 8 << 20, False),
        (CHUNK + 1, CHUNK, True),
        (CHUNK + 1, CHUNK - 1, False),
        (2 * CHUNK + 1, 2 * CHUNK, False),
    ],
)
async def test_a_body_of_4_mib_stays_in_memory_while_there_is_room(
    tmp_path: Path, size: int, limit: int, in_memory: bool
) -> None:
    data, memory = os.urandom(size), SpoolMemory(limit)
    spool = await spooled(tmp_path, data, memory=memory)

    assert isinstance(spool.content, bytes) == in_memory
    assert spool.digest == sha256(data).hexdigest()
    assert b"".join([piece async for piece in spool.pieces()]) == data
    await spool.close()
    await spool.close()

    assert memory.take(limit)
    assert not memory.take(1)


async def test_a_large_body_is_a_file_of_its_own_until_it_is_closed(tmp_path: Path) -> None:
    one, two = [await spooled(tmp_path, bytes(CHUNK + 1)) for _ in range(2)]
    files = files_in(tmp_path)
    assert {one.content, two.content} == set(files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    await one.close()
    await one.close()

    assert files_in(tmp_path) == [two.content]
    await two.close()
    assert not files_in(tmp_path)


async def test_a_file_that_a_store_has_moved_away_is_read_and_stays(tmp_path: Path) -> None:
    spool = await spooled(tmp_path, bytes(CHUNK + 1))
    assert isinstance(spool.content, Path)
    spool.content.rename(tmp_path / "stored")

    assert [len(piece) async for piece in spool.pieces()] == [CHUNK, 1]
    await spool.close()

    assert (tmp_path / "stored").stat().st_size == CHUNK + 1


async def test_a_body_that_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    await spool.write(bytes(3 * CHUNK))
    assert len(files_in(tmp_path)) == 1

    await spool.close()

    assert not files_in(tmp_path)


async def test_a_cancelled_write_leaves_no_file_and_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, write = threading.Event(), threading.Event(), os.write

    def slow(*args: Any) -> int:
        begun.set()
        goes_on.wait(5)
        return write(*args)

    descriptors = set(os.listdir("/proc/self/fd"))
    spool = Spool(tmp_path)
    monkeypatch.setattr(os, "write", slow)
    writing = asyncio.create_task(spool.write(bytes(CHUNK + 1)))
    await until(begun.is_set)
    writing.cancel()
    await asyncio.wait([writing])

    closing = asyncio.create_task(spool.close())
    await asyncio.sleep(0)
    closing.cancel()
    goes_on.set()

    await until(lambda: not files_in(tmp_path))
    await until(lambda: set(os.listdir("/proc/self/fd")) == descriptors)


async def test_a_slow_disk_holds_up_its_writer_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, write = threading.Event(), os.write
    monkeypatch.setattr(os, "write", lambda *args: goes_on.wait(5) and write(*args))
    spool = Spool(tmp_path)
    writing = asyncio.create_task(spool.write(bytes(3 * CHUNK)))

    for _ in range(100):
        await asyncio.sleep(0)
    assert not writing.done()

    goes_on.set()
    await asyncio.wait_for(writing, 5)
    await spool.close()


@pytest.mark.parametrize(
    ("number", "failure"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, Unavailable)],
)
async def test_a_failure_of_the_disk_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[Exception]
) -> None:
    def fail(*args: object) -> int:
        raise OSError(number, os.strerror(number))

    spool = Spool(tmp_path)
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(failure) as caught:
        await spool.write(bytes(CHUNK + 1))
    assert str(tmp_path) not in str(caught.value)
    await spool.close()

    assert not files_in(tmp_path)


async def test_bodies_on_their_way_leave_the_reserve_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = os.statvfs(tmp_path)
    reserve = min(64 << 20, blocks.f_blocks * blocks.f_frsize // 20)
    left = (reserve + CHUNK) // blocks.f_frsize
    values = list(blocks)
    values[4] = left  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))

    spool = await spooled(tmp_path, bytes(CHUNK + 1))
    await spool.close()
    values[4] = left - 1
    spool = Spool(tmp_path)
    with pytest.raises(StoreFull):
        await spool.write(bytes(CHUNK + 1))
    await spool.close()
    assert not files_in(tmp_path)


async def test_a_folder_that_is_missing_is_a_named_failure(tmp_path: Path) -> None:
    spool = await spooled(tmp_path / "missing", bytes(CHUNK))
    assert spool.content == bytes(CHUNK)

    with pytest.raises(Unavailable):
        await spooled(tmp_path / "missing", bytes(CHUNK + 1))

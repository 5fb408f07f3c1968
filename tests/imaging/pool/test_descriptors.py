"""The images of a call, in files or in memory: a pool process checks them, and files are closed."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from contracts.errors import DeadlineExceeded, Overloaded, WorkerCrashed
from services.imaging.pool import call_images
from services.imaging.pool.call_images import CallImages, CorruptImage
from services.imaging.pool.executor import CallFailed, Executor, Opening
from services.imaging.pool.messages import INSIDE, MAX_IMAGES, Content, Image
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings
from services.runtime.storage.files import file_of
from tests.attempts import attempts
from tests.imaging.pool.acting_child import Act, Action, Done
from tests.processes import until

TEXTS = ["first", "second"]


@pytest.fixture
async def executor() -> AsyncIterator[Executor]:
    executor = Executor(
        ImagingSettings(slots=1), waiting=2, program=Program("tests.imaging.pool.acting_child")
    )
    await executor.start()
    yield executor
    await executor.stop()


def image(data: bytes) -> Image:
    digest = hashlib.sha256(data).hexdigest()
    return Image(key=digest, size=len(data), digest=digest)


def opened(data: bytes) -> int:
    descriptor = os.memfd_create("image")
    os.write(descriptor, data)
    return descriptor


def opening_of(texts: Sequence[str], opens: Callable[[], None] = lambda: None) -> Opening:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[int]]:
        opens()
        descriptors = [opened(text.encode()) for text in texts]
        try:
            yield descriptors
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    return opening


def act(action: Action, texts: Sequence[str] = TEXTS, amount: float = 0) -> Act:
    images = tuple(image(text.encode()) for text in texts)
    return Act(action=action, amount=amount, images=images)


async def text_of(executor: Executor, action: Action, texts: Sequence[str] = TEXTS) -> str:
    [done], _ = await executor.run(act(action, texts), opening_of(texts), timeout=10)
    assert isinstance(done, Done)
    return done.text


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_process_reads_the_images_that_come_with_its_call(executor: Executor) -> None:
    assert await text_of(executor, "read") == "first second"
    assert await text_of(executor, "read", ["other"]) == "other"
    assert await text_of(executor, "nothing", []) == ""


async def test_as_many_images_as_a_call_may_have_and_all_are_closed(executor: Executor) -> None:
    many = [str(number) for number in range(MAX_IMAGES)]
    before = int(await text_of(executor, "count_files", []))
    for _ in range(3):
        assert await text_of(executor, "read", many) == " ".join(many)
        assert await text_of(executor, "count_files", many) == str(before + MAX_IMAGES)
    assert await text_of(executor, "count_files", []) == str(before)


@pytest.mark.parametrize("action", ["break", "refuse"])
async def test_a_call_that_fails_leaves_no_file_open(executor: Executor, action: Action) -> None:
    before = await text_of(executor, "count_files", [])
    for _ in range(2):
        with suppress(CallFailed):
            await executor.run(act(action), opening_of(TEXTS), timeout=10)
    assert await text_of(executor, "count_files", []) == before


async def test_the_service_keeps_no_file_of_a_call_open_however_it_ends(
    executor: Executor,
) -> None:
    await text_of(executor, "read")
    before = open_files()
    with pytest.raises(WorkerCrashed):
        await executor.run(act("crash"), opening_of(TEXTS), timeout=10)
    with pytest.raises(DeadlineExceeded):
        await executor.run(act("sleep", amount=60), opening_of(TEXTS), timeout=0.2)
    task = asyncio.create_task(executor.run(act("sleep", amount=60), opening_of(TEXTS), timeout=10))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await text_of(executor, "read") == "first second", "a fresh process has its own socket"
    await until(lambda: open_files() == before)


async def test_a_call_that_is_refused_opens_nothing(executor: Executor) -> None:
    opens: list[None] = []
    calls = [
        asyncio.create_task(executor.run(act("sleep", amount=0.3), opening_of(TEXTS), timeout=10))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await executor.run(act("read"), opening_of(TEXTS, lambda: opens.append(None)), timeout=10)
    assert not opens
    await asyncio.gather(*calls)


async def test_the_images_of_the_next_call_are_opened_while_the_slot_is_taken(
    executor: Executor,
) -> None:
    for attempt in attempts():
        is_open = asyncio.Event()
        first = asyncio.create_task(executor.run(act("sleep", [], amount=1), timeout=10))
        await asyncio.sleep(0)
        second = asyncio.create_task(
            executor.run(act("read"), opening_of(TEXTS, is_open.set), timeout=10)
        )
        with attempt:
            await asyncio.wait_for(is_open.wait(), 0.9)
            assert not first.done()
        await asyncio.gather(first, second)


async def test_bytes_and_files_come_with_one_call_in_any_order(executor: Executor) -> None:
    inside = [os.urandom(INSIDE // 2).hex().encode() for _ in range(8)]  # more than a socket takes
    contents: list[Content] = [*inside[:4], opened(b"in a file"), *inside[4:]]
    images = [image(one) if isinstance(one, bytes) else image(b"in a file") for one in contents]
    marked = tuple(
        one.model_copy(update={"inside": isinstance(content, bytes)})
        for one, content in zip(images, contents, strict=True)
    )

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Content]]:
        yield contents

    for _ in range(2):
        [done], _ = await executor.run(Act(action="read", images=marked), opening, timeout=10)
        assert isinstance(done, Done)
        read = done.text.split(" ", 4)
        assert [*read[:4], *read[4].removeprefix("in a file ").split()] == [
            one.decode() for one in inside
        ]
    [file] = [one for one in contents if isinstance(one, int)]
    os.close(file)


@pytest.mark.parametrize("found", [b"", b"abd", b"ab", b"abcd"])
def test_other_bytes_than_those_that_were_stored_are_not_read_from_a_call(found: bytes) -> None:
    wanted = image(b"abc").model_copy(update={"inside": True})
    images = CallImages([wanted], [], memoryview(found))
    if found[:3] == b"abc":
        assert images.read(wanted.key) == b"abc"
    else:
        with pytest.raises(CorruptImage):
            images.read(wanted.key)


@pytest.mark.parametrize("found", [b"", b"abd", b"ab", b"abcd"])
def test_other_bytes_than_those_that_were_stored_are_not_read(found: bytes) -> None:
    descriptor, wanted = opened(found), image(b"abc")
    try:
        with pytest.raises(CorruptImage):
            CallImages([wanted], [descriptor]).read(wanted.key)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_file_that_nobody_can_change_is_hashed_once(
    sealed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(1000)
    hashed: list[bytes] = []
    wanted, other = image(data), image(os.urandom(1000))
    descriptor = file_of(data, digest=wanted.digest).descriptor if sealed else opened(data)

    def sha256(found: bytes) -> "hashlib._Hash":
        hashed.append(found)
        return hashlib.sha256(found)

    monkeypatch.setattr(call_images, "hashlib", SimpleNamespace(sha256=sha256))
    try:
        for _ in range(3):
            assert CallImages([wanted], [descriptor]).read(wanted.key) == data
            with pytest.raises(CorruptImage):
                CallImages([other], [descriptor]).read(other.key)
    finally:
        os.close(descriptor)
    assert len(hashed) == (1 if sealed else 6)


def test_the_digest_of_one_file_is_not_taken_for_that_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_images, "_REMEMBERED", 2)
    for _ in range(4):
        data = os.urandom(1000)
        right, wrong = (file_of(found, digest="") for found in (data, os.urandom(1000)))
        wanted = image(data)
        assert CallImages([wanted], [right.descriptor]).read(wanted.key) == data
        with pytest.raises(CorruptImage):
            CallImages([wanted], [wrong.descriptor]).read(wanted.key)
        right.close()
        wrong.close()
    assert len(call_images._digests) == 2

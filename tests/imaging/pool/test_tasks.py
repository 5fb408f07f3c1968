"""The tasks of a pool process, on images in open files."""

import hashlib
import os
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.errors import Code, Failure
from contracts.formats import Format
from contracts.imaging import Blob, Depth, Inspect, Inspected, Render
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.pool import tasks, verdicts
from services.imaging.pool.call_images import CallImages
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.messages import Answer, Corrupt, Image, Made, RenderAnswer, RenderCall
from services.imaging.pool.sandbox import limits
from services.imaging.pool.verdicts import Need, Verdict
from services.imaging.settings import ImagingSettings
from tests.imaging.animations import animation, moving_square, without_frame
from tests.imaging.pictures import encoded, quadrants

SETTINGS = ChildSettings.of(ImagingSettings())
PICTURE = encoded(quadrants(), "PNG")


class Files:
    """Images by key, in files that are open until the end of the test."""

    def __init__(self) -> None:
        self._images: dict[str, tuple[Image, int]] = {}

    def add(self, data: bytes, *, found: bytes | None = None) -> Blob:
        """Add an image; with `found`, its file has these bytes."""
        key = hashlib.sha256(data).hexdigest()
        descriptor = os.memfd_create("image")
        os.write(descriptor, data if found is None else found)
        self._images[key] = Image(key=key, size=len(data), digest=key), descriptor
        return Blob(key=key, media_type="image/png", bytes=len(data))

    def all(self) -> CallImages:
        images, descriptors = zip(*self._images.values(), strict=True)
        return CallImages(images, descriptors)

    def close(self) -> None:
        for _, descriptor in self._images.values():
            os.close(descriptor)


@pytest.fixture
def files() -> Iterator[Files]:
    files = Files()
    yield files
    files.close()


@pytest.fixture(autouse=True)
def _keep_this_process_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BATCH_CPU", 60.0)
    monkeypatch.setattr(tasks, "_BATCH_TIME", 60.0)
    tasks._last_source.clear()


def request_of(source: Blob, *operations: Operation, output: Format = Format.PNG) -> Render:
    return Render(
        source=source, pipeline=Pipeline(operations=operations, output=Output(format=output))
    )


def answer_to(
    files: Files,
    *requests: Render,
    keep_source: bool = False,
    settings: ChildSettings = SETTINGS,
) -> RenderAnswer:
    call = RenderCall(requests=requests, keep_source=keep_source)
    return tasks.render(call, files.all(), settings)


def made(files: Files, request: Render, *, keep_source: bool = False) -> Made:
    [outcome] = answer_to(files, request, keep_source=keep_source).outcomes
    assert isinstance(outcome, Made)
    return outcome


def inspected(files: Files, source: Blob, depth: Depth) -> Answer[Inspected]:
    return tasks.inspect(Inspect(source=source, depth=depth), files.all(), SETTINGS)


def test_a_batch_has_an_outcome_for_each_request_in_order(files: Files) -> None:
    first, broken, other = map(files.add, (PICTURE, b"no image", PICTURE + b"\0"))
    requests = [request_of(one, Resize(width=4)) for one in (first, broken, other)]
    answer = answer_to(files, *requests)
    assert [type(one) for one in answer.outcomes] == [Made, Verdict, Made]
    picture = pipeline.run(PICTURE, requests[0].pipeline)
    assert answer.attachments == [picture.data] * 2


def test_an_answer_fits_together_again_with_the_bytes_that_follow_it(files: Files) -> None:
    source, broken = files.add(PICTURE), files.add(b"no image")
    answer = answer_to(
        files, request_of(source), request_of(broken), request_of(source, Resize(width=3))
    )
    sent = RenderAnswer.model_validate_json(answer.model_dump_json())
    attached = memoryview(b"".join(answer.attachments))
    assert sent.filled(attached) == answer
    for wrong in (attached[:-1], memoryview(bytes(attached) + b"x"), memoryview(b"")):
        with pytest.raises(ValueError, match="bytes follow"):
            sent.filled(wrong)
    with pytest.raises(ValueError, match="no use"):
        Answer[Inspected]().filled(memoryview(b"x"))


def test_a_corrupt_image_is_an_outcome_and_is_not_decoded(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupt = files.add(PICTURE, found=PICTURE[:-1] + b"x")
    source = files.add(PICTURE + b"\0")
    marked = request_of(source, Watermark(image=corrupt.key))
    monkeypatch.setattr(pipeline, "run", None)
    assert answer_to(files, request_of(corrupt)).outcomes == (Corrupt(corrupt=corrupt.key),)
    assert answer_to(files, marked).outcomes == (Corrupt(corrupt=corrupt.key),)
    assert inspected(files, corrupt, Depth.PIXELS).outcomes == (Corrupt(corrupt=corrupt.key),)


@pytest.mark.parametrize("limit", ["_BATCH_CPU", "_BATCH_TIME"])
def test_a_request_that_is_not_started_in_time_has_no_outcome(
    limit: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = files.add(PICTURE)
    monkeypatch.setattr(tasks, limit, 0.0)
    answer = answer_to(files, *(request_of(source, Resize(width=n)) for n in (2, 3)))
    assert [type(one) for one in answer.outcomes] == [Made]


def test_a_batch_that_waits_for_a_core_goes_on(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*args: Any) -> pipeline.Rendition:
        time.sleep(0.05)
        return rendered(*args)

    rendered = pipeline.run
    monkeypatch.setattr(pipeline, "run", waits)
    monkeypatch.setattr(tasks, "_BATCH_CPU", 0.04)
    source = files.add(PICTURE)
    answer = answer_to(files, *(request_of(source, Resize(width=n)) for n in (2, 3)))
    assert [type(one) for one in answer.outcomes] == [Made, Made]


def test_the_renditions_of_an_answer_are_no_longer_than_one_may_be(files: Files) -> None:
    source = files.add(PICTURE)
    requests = [request_of(source, Resize(width=width)) for width in (4, 5, 6)]
    sizes = [one.size for one in answer_to(files, *requests).outcomes if isinstance(one, Made)]
    small = SETTINGS.model_copy(update={"max_result": sizes[0] + sizes[1]})
    assert len(answer_to(files, *requests, settings=small).outcomes) == 2


def test_a_source_is_read_and_decoded_once(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    source = files.add(PICTURE)
    made(files, request_of(source, Resize(width=2)))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", None)
        patched.setattr(decode, "decode", None)
        assert made(files, request_of(source, Resize(width=3))).width == 3


@pytest.mark.parametrize("keeps_bytes", [True, False])
def test_a_process_that_rests_keeps_no_pixels_and_few_bytes(
    files: Files, monkeypatch: pytest.MonkeyPatch, *, keeps_bytes: bool
) -> None:
    source = files.add(PICTURE)
    tasks.rest()
    made(files, request_of(source))
    monkeypatch.setattr(tasks, "_KEPT_LONG", len(PICTURE) if keeps_bytes else 10)
    tasks.rest()
    assert [one.decode_cache for one in tasks._last_source] == [{}] * keeps_bytes


@pytest.mark.parametrize("depth", Depth)
def test_an_inspection_of_another_image_frees_the_last_source(files: Files, depth: Depth) -> None:
    source, other = files.add(PICTURE), files.add(PICTURE + b"\0")
    made(files, request_of(source))
    inspected(files, source, depth)
    assert [one.key for one in tasks._last_source] == [source.key]
    inspected(files, other, depth)
    assert not tasks._last_source


def test_a_source_too_large_for_the_memory_is_read_again(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_KEPT_BYTES", 10)
    source = files.add(PICTURE)
    made(files, request_of(source, Resize(width=1)), keep_source=True)
    assert tasks._last_source, "keep_source keeps a source of any size"
    made(files, request_of(source, Resize(width=2)))
    assert not tasks._last_source


def test_a_verdict_is_reached_once_in_a_batch_and_holds_for_what_needs_as_much(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = files.add(without_frame(animation("GIF", moving_square()), 1))
    moving, still = (request_of(source, output=one) for one in (Format.WEBP, Format.JPEG))
    larger = request_of(source, Resize(width=3), output=Format.WEBP)
    calls: list[bytes] = []
    run = pipeline.run

    def counted(data: bytes, *args: Any) -> pipeline.Rendition:
        calls.append(data)
        return run(data, *args)

    monkeypatch.setattr(pipeline, "run", counted)
    first, picture, again = answer_to(files, moving, still, larger).outcomes
    assert isinstance(first, Verdict)
    assert first.need is Need.ALL_FRAMES
    assert isinstance(picture, Made)
    assert again == first
    assert len(calls) == 2
    [described] = inspected(files, source, Depth.PIXELS).outcomes
    assert isinstance(described, Inspected)
    assert described.frames == 4


def test_a_process_without_memory_gives_no_verdict(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = files.add(b"no image")
    space = limits.address_space()
    monkeypatch.setattr(verdicts, "fresh_space", lambda: 0)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (space, space))
    with pytest.raises(MemoryError):
        inspected(files, source, Depth.HEADER)
    assert answer_to(files, request_of(source)).exhausted


def test_memory_that_runs_out_ends_a_batch_and_condemns_the_process(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = files.add(PICTURE)
    first, second, third = (request_of(source, Resize(width=n)) for n in (2, 3, 4))
    run = pipeline.run

    def run_out(data: bytes, wanted: Pipeline, *args: Any) -> pipeline.Rendition:
        if wanted == second.pipeline:
            raise MemoryError
        return run(data, wanted, *args)

    monkeypatch.setattr(pipeline, "run", run_out)
    answer = answer_to(files, first, second, third)
    assert answer.exhausted
    assert [type(one) for one in answer.outcomes] == [Made]
    alone = answer_to(files, second)
    assert alone.exhausted
    [failure] = alone.outcomes
    assert isinstance(failure, Failure)
    assert failure.code is Code.OUT_OF_MEMORY


def test_a_pool_process_is_told_no_address_and_no_secret() -> None:
    settings = ImagingSettings(redis_url="redis://:secret@example.test")
    told = ChildSettings.of(settings).model_dump_json()
    assert "secret" not in told
    assert "example" not in told

"""The tasks of a pool process, on a real store."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.errors import Code, Failure, Gone, ImageUnreadable, NotFound
from contracts.formats import Format
from contracts.imaging import Blob, Depth, Inspect, Inspected, Render, Rendered
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.pool import tasks, verdicts
from services.imaging.pool.messages import Heavy, RenderCall
from services.imaging.pool.sandbox import limits
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import make_blocking_redis
from tests.imaging.animations import animation, moving_square, without_frame
from tests.imaging.pictures import encoded, quadrants
from tests.processes import valkey

TTL = 60


@pytest.fixture(scope="module")
def store() -> Iterator[ImagingSettings]:
    with valkey() as running:
        settings = ImagingSettings(redis_url=str(running.connection_url))
        yield settings
        if tasks._blobs.cache_info().currsize:
            # A pool process keeps its connection until it ends; here it would be left open.
            tasks._blobs(settings)._redis.close()
            tasks._blobs.cache_clear()


@pytest.fixture(autouse=True)
def _keep_this_process_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BATCH_BUDGET", 60.0)
    tasks._last_source.clear()


def upload(store: ImagingSettings, data: bytes, key: str) -> Blob:
    blob = Blob(key=key * 64, media_type="image/png", bytes=len(data))
    _ask(store, "HSET", f"darkroom:image:{blob.key}", "data", data, "bytes", len(data))
    return blob


def render_request(source: Blob, *operations: Operation, reuse: bool = True) -> Render:
    wanted = Pipeline(operations=operations, output=Output(format=Format.PNG))
    return Render(source=source, pipeline=wanted, reuse=reuse)


def outcomes_of(
    store: ImagingSettings, *requests: Render, keep_source: bool = False
) -> list[Rendered | Failure | Heavy]:
    call = RenderCall(requests=requests, ttl=TTL, keep_source=keep_source)
    return list(tasks.render(call, store).outcomes)


def render(store: ImagingSettings, request: Render, *, keep_source: bool = False) -> Rendered:
    [outcome] = outcomes_of(store, request, keep_source=keep_source)
    assert not isinstance(outcome, Heavy)
    if isinstance(outcome, Failure):
        raise outcome.error()
    return outcome


def stored_result(store: ImagingSettings, rendered: Rendered) -> bytes | None:
    data: bytes | None = _ask(store, "HGET", f"darkroom:rendition:{rendered.blob.key}", "data")
    return data


def _ask(store: ImagingSettings, *command: Any) -> Any:
    connection = make_blocking_redis(store)
    [answer] = connection.pipeline([command])
    connection.close()
    return answer


def test_a_missing_watermark_image_is_named_as_the_watermarks(store: ImagingSettings) -> None:
    source = Blob(key="0" * 64, media_type="image/png", bytes=1)
    stamp = "1" * 64
    with pytest.raises(NotFound, match=rf"{stamp} that the watermark names .* \(any more\)"):
        render(store, render_request(source, Watermark(image=stamp)))


def test_a_batch_has_an_outcome_for_each_request_in_order(store: ImagingSettings) -> None:
    first = upload(store, encoded(quadrants(), "PNG"), "2")
    broken = upload(store, b"no image", "3")
    # Too large to be fetched together with the others.
    large = upload(store, encoded(quadrants(), "PNG") + bytes(1 << 19), "4")
    requests = [render_request(one, Resize(width=4)) for one in (first, broken, large, first)]
    outcomes = outcomes_of(store, *requests)
    assert isinstance(outcomes[1], Failure)
    assert outcomes[1].code is Code.IMAGE_UNREADABLE
    renders = [one for one in outcomes if isinstance(one, Rendered)]
    wanted = Pipeline(operations=(Resize(width=4),), output=Output(format=Format.PNG))
    picture = pipeline.run(encoded(quadrants(), "PNG"), wanted)
    assert [stored_result(store, one) for one in renders] == [picture.data] * 3
    assert [one.reused for one in renders] == [False, False, True]


def test_a_stored_rendition_is_used_again_if_the_request_allows_it(store: ImagingSettings) -> None:
    source = upload(store, encoded(quadrants(), "PNG"), "5")
    old, new = render_request(source, Resize(width=5)), render_request(source, Resize(width=6))
    first = render(store, old)
    found, made = outcomes_of(store, old, new)
    assert found == first.model_copy(update={"reused": True})
    assert isinstance(made, Rendered)
    assert not made.reused
    assert not render(store, render_request(source, Resize(width=5), reuse=False)).reused


def test_a_rendition_that_does_not_fit_is_store_full_and_a_stored_one_is_used(
    store: ImagingSettings,
) -> None:
    source = upload(store, encoded(quadrants(40, 30), "PNG"), "f")
    stored, new = render_request(source), render_request(source, Resize(width=7))
    render(store, stored)

    _ask(store, "CONFIG", "SET", "maxmemory", "1mb")
    outcomes = outcomes_of(store, stored, new)
    _ask(store, "CONFIG", "SET", "maxmemory", "0")

    assert isinstance(outcomes[0], Rendered)
    assert isinstance(outcomes[1], Failure)
    assert outcomes[1].code is Code.STORE_FULL
    render(store, new)


def test_a_request_that_is_not_started_in_time_has_no_outcome(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(store, encoded(quadrants(), "PNG"), "6")
    monkeypatch.setattr(tasks, "_BATCH_BUDGET", 0.0)
    done = outcomes_of(store, *(render_request(source, Resize(width=n)) for n in (2, 3)))
    [rendered] = done
    assert isinstance(rendered, Rendered)
    assert stored_result(store, rendered)


@pytest.mark.parametrize("keep", [True, False])
def test_a_source_is_fetched_once_and_with_keep_source_decoded_once(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch, *, keep: bool
) -> None:
    source = upload(store, encoded(quadrants(), "PNG"), "7" if keep else "9")
    render(store, render_request(source, Resize(width=2)), keep_source=keep)
    _ask(store, "UNLINK", f"darkroom:image:{source.key}")
    assert bool(tasks._last_source[0].decode_cache) is keep
    with monkeypatch.context() as patched:
        if keep:
            patched.setattr(decode, "decode", None)
        assert render(store, render_request(source, Resize(width=3))).width == 3
    assert not tasks._last_source[0].decode_cache


def test_a_source_too_large_for_the_memory_is_fetched_again(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_CACHED_BYTES", 10)
    source = upload(store, encoded(quadrants(), "PNG"), "8")
    render(store, render_request(source, Resize(width=1)), keep_source=True)
    assert tasks._last_source, "keep_source keeps a source of any size"
    render(store, render_request(source, Resize(width=2)))
    assert not tasks._last_source
    _ask(store, "UNLINK", f"darkroom:image:{source.key}")
    with pytest.raises(Gone):
        render(store, render_request(source, Resize(width=3)))


def test_a_verdict_spares_the_decoding_of_requests_that_need_as_much(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(store, without_frame(animation("GIF", moving_square()), 1), "a")
    moving, still = Output(format=Format.WEBP), Output(format=Format.JPEG)

    def request(output: Output, *operations: Operation) -> Render:
        pipe = Pipeline(operations=operations, output=output)
        return Render(source=source, pipeline=pipe)

    with pytest.raises(ImageUnreadable) as first:
        render(store, request(moving))
    assert render(store, request(still)).width == 64
    tasks._last_source.clear()
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run", None)
        with pytest.raises(ImageUnreadable) as again:
            render(store, request(moving, Resize(width=3)))
    assert again.value.detail == first.value.detail
    assert render(store, request(still, Resize(width=3))).width == 3
    [inspected] = tasks.inspect(Inspect(source=source, depth=Depth.PIXELS), store).outcomes
    assert isinstance(inspected, Inspected)
    assert inspected.frames == 4


def test_a_process_without_memory_gives_no_verdict(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(store, b"no image", "b")
    space = limits.address_space()
    monkeypatch.setattr(verdicts, "fresh_space", lambda: 0)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (space, space))
    with pytest.raises(MemoryError):
        tasks.inspect(Inspect(source=source), store)
    assert _ask(store, "HKEYS", f"darkroom:image:{source.key}") == [b"data", b"bytes"]


def test_memory_that_runs_out_ends_a_batch_and_condemns_the_process(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = upload(store, encoded(quadrants(), "PNG"), "c")
    first, second, third = (render_request(source, Resize(width=n)) for n in (2, 3, 4))
    run = pipeline.run

    def run_out(data: bytes, wanted: Pipeline, *args: Any) -> pipeline.Rendition:
        if wanted == second.pipeline:
            raise MemoryError
        return run(data, wanted, *args)

    monkeypatch.setattr(pipeline, "run", run_out)
    answer = tasks.render(RenderCall(requests=(first, second, third), ttl=TTL), store)
    assert answer.exhausted
    [rendered] = answer.outcomes
    assert isinstance(rendered, Rendered)
    alone = tasks.render(RenderCall(requests=(second,), ttl=TTL), store)
    assert alone.exhausted
    [failure] = alone.outcomes
    assert isinstance(failure, Failure)
    assert failure.code is Code.OUT_OF_MEMORY

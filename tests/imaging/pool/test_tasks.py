"""What a pool process does, on a real store."""

from collections.abc import Iterator
from typing import Any

import pytest

from contracts.errors import Gone, ImageUnreadable, NotFound
from contracts.formats import Format
from contracts.imaging import Blob, Render, Rendered
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Resize
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.pool import tasks
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import make_blocking_redis
from tests.imaging.pictures import encoded, quadrants
from tests.processes import valkey

TTL = 60


@pytest.fixture(scope="module")
def store() -> Iterator[ImagingSettings]:
    with valkey() as running:
        yield ImagingSettings(redis_url=str(running.connection_url))


@pytest.fixture(autouse=True)
def _stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would limit the memory of this very process.
    monkeypatch.setattr(tasks, "prepare_process", lambda _: None)
    monkeypatch.setattr(tasks, "_A_MOMENT", 60.0)
    tasks._kept.clear()


def uploaded(store: ImagingSettings, data: bytes, key: str) -> Blob:
    blob = Blob(key=key * 64, media_type="image/png", bytes=len(data))
    _ask(store, "HSET", f"darkroom:image:{blob.key}", "data", data)
    return blob


def asked(source: Blob, *operations: Operation, reuse: bool = True) -> str:
    wanted = Pipeline(operations=operations, output=Output(format=Format.PNG))
    return Render(source=source, pipeline=wanted, reuse=reuse).model_dump_json()


def result(store: ImagingSettings, rendered: Rendered) -> bytes | None:
    data: bytes | None = _ask(store, "HGET", f"darkroom:rendition:{rendered.blob.key}", "data")
    return data


def _ask(store: ImagingSettings, *command: Any) -> Any:
    connection = make_blocking_redis(store)
    [answer] = connection.pipeline([command])
    connection.close()
    return answer


def test_an_image_that_is_missing_is_said_to_be_the_watermarks(store: ImagingSettings) -> None:
    source = Blob(key="0" * 64, media_type="image/png", bytes=1)
    stamp = "1" * 64
    with pytest.raises(NotFound, match=rf"{stamp} that the watermark names .* \(any more\)"):
        tasks.render(asked(source, Watermark(image=stamp)), store, TTL)


def test_several_are_answered_in_order_each_with_its_own_end(store: ImagingSettings) -> None:
    first = uploaded(store, encoded(quadrants(), "PNG"), "2")
    broken = uploaded(store, b"no image", "3")
    # Larger than what travels with others.
    large = uploaded(store, encoded(quadrants(), "PNG") + bytes(1 << 19), "4")
    requests = [asked(one, Resize(width=4)) for one in (first, broken, large, first)]
    outcomes = tasks.render_some(requests, store, TTL)
    assert isinstance(outcomes[1], ImageUnreadable)
    renders = [one for one in outcomes if isinstance(one, Rendered)]
    wanted = Pipeline(operations=(Resize(width=4),), output=Output(format=Format.PNG))
    picture = pipeline.run(encoded(quadrants(), "PNG"), wanted)
    assert [result(store, one) for one in renders] == [picture.data] * 3
    assert [one.reused for one in renders] == [False, False, True]


def test_what_is_there_is_not_rendered_again(store: ImagingSettings) -> None:
    source = uploaded(store, encoded(quadrants(), "PNG"), "5")
    old, new = asked(source, Resize(width=5)), asked(source, Resize(width=6))
    first = tasks.render(old, store, TTL)
    found, made = tasks.render_some([old, new], store, TTL)
    assert found == first.model_copy(update={"reused": True})
    assert isinstance(made, Rendered)
    assert not made.reused
    assert not tasks.render(asked(source, Resize(width=5), reuse=False), store, TTL).reused


def test_what_has_not_begun_after_a_moment_is_left_out(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = uploaded(store, encoded(quadrants(), "PNG"), "6")
    monkeypatch.setattr(tasks, "_A_MOMENT", 0.0)
    done = tasks.render_some([asked(source, Resize(width=n)) for n in (2, 3)], store, TTL)
    [rendered] = done
    assert isinstance(rendered, Rendered)
    assert result(store, rendered)


@pytest.mark.parametrize("keep", [True, False])
def test_a_source_is_fetched_once_and_decoded_once_if_more_is_to_come(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch, *, keep: bool
) -> None:
    source = uploaded(store, encoded(quadrants(), "PNG"), "7" if keep else "9")
    tasks.render(asked(source, Resize(width=2)), store, TTL, keep_source=keep)
    _ask(store, "UNLINK", f"darkroom:image:{source.key}")
    assert bool(tasks._kept[0].decode_cache) is keep
    with monkeypatch.context() as patched:
        if keep:
            patched.setattr(decode, "decode", None)
        assert tasks.render(asked(source, Resize(width=3)), store, TTL).width == 3
    assert not tasks._kept[0].decode_cache


def test_a_source_that_is_too_large_to_keep_is_fetched_again(
    store: ImagingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_KEPT_BYTES", 10)
    source = uploaded(store, encoded(quadrants(), "PNG"), "8")
    tasks.render(asked(source, Resize(width=1)), store, TTL, keep_source=True)
    assert tasks._kept, "more is to come"
    tasks.render(asked(source, Resize(width=2)), store, TTL)
    assert not tasks._kept
    _ask(store, "UNLINK", f"darkroom:image:{source.key}")
    with pytest.raises(Gone):
        tasks.render(asked(source, Resize(width=3)), store, TTL)

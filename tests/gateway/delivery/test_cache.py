"""The answers in memory: their bound, their ends, and purges that race an answer under way."""

import math
import tracemalloc

import pytest

from services.gateway.delivery.cache import UNCONFIRMED, Answer, DeliveryCache, Key, Source
from services.runtime.storage.records import Kind

IMAGE, LOGO, OTHER = "1" * 64, "2" * 64, "3" * 64


def made(limit: int) -> DeliveryCache:
    return DeliveryCache(limit, on_eviction=lambda: None)


def key(name: object) -> Key:
    return (b"", f"/v1/images/{name}/render".encode(), b"op=grayscale", None)


def answer(
    body: bytes = b"bytes",
    *,
    images: tuple[str, ...] = (IMAGE,),
    fresh: float = math.inf,
    ends: float = math.inf,
    confirmed: float = 0.0,
) -> Answer:
    return Answer(
        source=Source(Kind.RENDITION, "a" * 64, "b" * 64, images),
        body=body,
        headers=[(b"content-type", b"image/webp"), (b"etag", b'"a"')],
        unchanged=[(b"etag", b'"a"')],
        tag=b'"a"',
        route=None,
        made=0.0,
        fresh=fresh,
        dated=False,
        ends=ends,
        confirmed=confirmed,
    )


def test_the_bound_holds_and_the_answers_that_were_unused_for_longest_leave() -> None:
    evicted: list[None] = []
    cache = DeliveryCache(1_000_000, on_eviction=lambda: evicted.append(None))
    for number in range(200):
        assert cache.put(key(number), answer(bytes(10_000)), cache.moment)
        assert cache.bytes <= 1_000_000
        assert cache.find(key(0), 1.0)
    kept = [number for number in range(200) if cache.find(key(number), 1.0)]
    assert kept[0] == 0
    assert kept[1:] == list(range(201 - len(kept), 200))
    assert len(evicted) == 200 - len(kept)
    assert 70 < len(kept) < 90


def test_the_bound_holds_for_the_kept_headers_of_answers() -> None:
    cache = made(100_000)
    for number in range(1000):
        cache.put(key(number), answer(), cache.moment)
    before = len(cache)
    for number in range(1000):
        if found := cache.find(key(number), 1.0):
            cache.remember_lines(found, "form", bytes(5000))
            assert cache.bytes <= 100_000
            assert cache.find(key(number), 1.0) is found
    assert 1 < len(cache) < before


@pytest.mark.parametrize("size", [10, 500, 12_900])
def test_the_objects_of_small_answers_take_no_more_memory_than_is_counted(size: int) -> None:
    tracemalloc.start()
    try:
        cache = made(4_000_000)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(4000):
            fresh = [(b"content-length", b"%d" % number), (b"etag", b'"%064d"' % number)]
            one = answer(bytes(size))
            one.headers = one.unchanged = fresh
            one.source = Source(Kind.RENDITION, f"{number:064}", f"{number:064}", (f"{number:64}",))
            cache.put(key(number), one, cache.moment)
        cache.used.clear()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(cache) < 4000
    assert held < 1.1 * cache.bytes <= 1.1 * 4_000_000


def test_bodies_under_way_take_a_sixteenth_of_the_cache_at_most() -> None:
    cache = made(32 << 20)
    assert not cache.reserve((1 << 20) + 1)
    assert cache.reserve(1 << 20)
    assert cache.reserve(1 << 20)
    assert not cache.reserve(1)
    cache.release(1 << 20)
    assert cache.reserve(1)


def test_a_purge_drops_what_was_made_from_the_image_even_as_a_watermark() -> None:
    cache = made(1 << 20)
    for name, images in (("plain", (IMAGE,)), ("marked", (IMAGE, LOGO)), ("other", (OTHER,))):
        cache.put(key(name), answer(images=images), cache.moment)

    cache.purge(LOGO)
    assert [name for name in ("plain", "marked", "other") if cache.find(key(name), 1.0)] == [
        "plain",
        "other",
    ]
    cache.purge(IMAGE)
    assert [name for name in ("plain", "other") if cache.find(key(name), 1.0)] == ["other"]
    size = cache.bytes
    cache.purge(OTHER)
    assert size > 0 == cache.bytes


def test_an_answer_that_was_begun_before_a_purge_is_not_kept() -> None:
    cache = made(1 << 20)
    begun = cache.moment
    cache.purge(LOGO)

    assert not cache.put(key("marked"), answer(images=(IMAGE, LOGO)), begun)
    assert cache.put(key("plain"), answer(), begun)
    assert cache.put(key("marked"), answer(images=(IMAGE, LOGO)), cache.moment)


def test_nothing_that_was_begun_before_a_loss_is_kept() -> None:
    cache = made(1 << 20)
    begun = cache.moment
    cache.put(key("kept"), answer(), begun)
    cache.clear()

    assert cache.find(key("kept"), 1.0) is None
    assert not cache.put(key("new"), answer(), begun)
    assert cache.bytes == 0


def test_purges_beyond_those_that_are_remembered_keep_older_answers_out() -> None:
    cache = made(1 << 20)
    begun = cache.moment
    cache.purge(IMAGE)
    between = cache.moment
    for number in range(5000):
        cache.purge(f"{number:064}")

    assert not cache.put(key("a"), answer(), begun)
    assert not cache.put(key("a"), answer(), between), "nobody knows any more"
    assert cache.put(key("a"), answer(), cache.moment)


def test_an_answer_ends_with_its_blob_its_freshness_and_without_a_look_at_it() -> None:
    cache = made(1 << 20)
    cache.put(key("short"), answer(ends=10.0), cache.moment)
    cache.put(key("unseen"), answer(confirmed=1.0), cache.moment)
    cache.put(key("stale"), answer(fresh=30.0), cache.moment)

    assert cache.find(key("short"), 9.9)
    assert cache.find(key("short"), 10.0) is None
    assert cache.find(key("stale"), 29.9)
    assert cache.find(key("stale"), 30.0) is None
    assert cache.find(key("unseen"), 1.0 + UNCONFIRMED)
    assert cache.find(key("unseen"), 1.1 + UNCONFIRMED) is None
    assert (len(cache), cache.bytes) == (0, 0)


def test_the_blob_of_a_used_answer_is_noted_when_the_answer_leaves() -> None:
    cache = made(1 << 20)
    cache.put(key("used"), answer(), cache.moment)
    cache.put(key("unused"), answer(), cache.moment)
    cache.find(key("used"), 1.0)
    assert list(cache.used) == [key("used")]

    cache.drop(key("used"))
    cache.drop(key("unused"))
    assert (list(cache.used), list(cache.left)) == ([], ["a" * 64])

"""Remembered originals: fetched once, asked for again, and used while it may be."""

import asyncio
import re

import pytest

from contracts.errors import Code, NotFound, SourceUnavailable
from services.gateway.sources.originals import Originals
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from tests.gateway.sources.conftest import MakeOriginals
from tests.gateway.sources.web import OTHER_PNG, PNG, Asked, Web, answer
from tests.processes import until


def source(web: Web, *more: str) -> str:
    head = f'[sources.web]\nkind = "https"\nallow = ["{web.url}/*"]\nallow_private = true\n'
    return head + "\n".join(more)


def serve(web: Web, control: str, tag: str = '"one"', body: bytes = PNG) -> None:
    """Answer by 304 to a request with the tag."""

    async def give(asked: Asked) -> bytes:
        if asked.headers.get("if-none-match") == tag:
            return answer(304, etag=tag, cache_control=control)
        return answer(200, body, etag=tag, cache_control=control)

    web.answers["/a"] = give


async def status(originals: Originals, web: Web, *, again: bool = False) -> str:
    acquired = await originals.acquire(f"{web.url}/a", "default", again=again)
    return acquired.status.removeprefix("darkroom-source; ")


async def test_a_fresh_original_is_not_asked_for(gateways: MakeOriginals, web: Web) -> None:
    serve(web, "max-age=60")
    one, other = gateways(source(web)), gateways(source(web))
    assert await status(one, web) == "fwd=uri-miss; fwd-status=200; stored"
    for originals in (one, other):
        found = re.fullmatch(r"hit; ttl=(\d+)", await status(originals, web))
        assert found
        assert 40 <= int(found[1]) <= 60
    assert len(web.asked) == 1
    assert await status(other, web, again=True) == "fwd=request; fwd-status=304"


async def test_a_stale_original_is_asked_for_by_its_validators(
    gateways: MakeOriginals, web: Web
) -> None:
    originals = gateways(source(web))
    serve(web, "max-age=0")
    before = await originals.acquire(f"{web.url}/a", "default")
    same = await originals.acquire(f"{web.url}/a", "default")
    serve(web, "max-age=0", tag='"two"', body=OTHER_PNG)
    changed = await originals.acquire(f"{web.url}/a", "default")
    serve(web, "max-age=0", tag='"three"', body=PNG)
    back = await originals.acquire(f"{web.url}/a", "default")

    assert same.status.endswith("fwd=stale; fwd-status=304")
    assert changed.status.endswith("fwd=stale; fwd-status=200; stored")
    images = [one.original.image for one in (before, same, changed, back)]
    assert images[0] == images[1] == images[3] != images[2]
    assert [asked.headers.get("if-none-match") for asked in web.asked] == [
        None,
        '"one"',
        '"one"',
        '"two"',
    ]


async def test_the_date_of_the_last_change_is_a_validator_too(
    gateways: MakeOriginals, web: Web
) -> None:
    date = "Sun, 29 Nov 2020 00:43:55 GMT"
    web.answers["/a"] = answer(200, PNG, last_modified=date, cache_control="max-age=0")
    originals = gateways(source(web))
    await status(originals, web)
    web.answers["/a"] = answer(304)
    assert await status(originals, web) == "fwd=stale; fwd-status=304"
    assert web.asked[-1].headers["if-modified-since"] == date


async def test_validators_count_for_the_url_that_has_sent_them(
    gateways: MakeOriginals, web: Web
) -> None:
    """Another server may call other bytes by the same tag."""
    web.answers |= {
        "/a": answer(302, location="/one"),
        "/one": answer(200, PNG, etag='"1"', cache_control="max-age=0"),
        "/two": answer(200, OTHER_PNG, etag='"1"', cache_control="max-age=0"),
    }
    originals = gateways(source(web))
    await status(originals, web)
    web.answers["/a"] = answer(302, location="/two")
    assert await status(originals, web) == "fwd=stale; fwd-status=200; stored"
    assert all("if-none-match" not in asked.headers for asked in web.asked)


async def test_an_answer_that_may_not_be_stored_counts_once(
    gateways: MakeOriginals, web: Web, redis: RedisClient
) -> None:
    serve(web, "no-store")
    originals = gateways(source(web))
    for _ in range(2):
        acquired = await originals.acquire(f"{web.url}/a", "default")
        assert acquired.status.endswith("fwd=uri-miss; fwd-status=200")
        assert not acquired.original.stored
        life = await redis.execute("TTL", f"darkroom:image:{acquired.original.image}")
        assert life <= 65, "no longer than a request"
    assert await redis.execute("KEYS", "darkroom:origin*") == []


async def test_a_stale_original_is_used_while_it_is_asked_for_again(
    gateways: MakeOriginals, web: Web
) -> None:
    serve(web, "max-age=0, stale-while-revalidate=60")
    originals = gateways(source(web))
    await status(originals, web)
    released = asyncio.Event()

    async def later(asked: Asked) -> bytes:
        await released.wait()
        return answer(200, OTHER_PNG, cache_control="max-age=60")

    web.answers["/a"] = later
    for _ in range(3):
        assert (await status(originals, web)).endswith("; detail=revalidating")
    released.set()
    await until(lambda: not originals.refreshing)
    assert len(web.asked) == 2
    assert (await status(originals, web)).startswith("hit; ttl=")


@pytest.mark.parametrize("control", ["max-age=0", "max-age=0, stale-if-error=60"])
async def test_a_stale_original_is_used_while_its_source_fails(
    gateways: MakeOriginals, web: Web, control: str
) -> None:
    serve(web, control)
    originals = gateways(source(web))
    await status(originals, web)
    web.answers["/a"] = answer(500)
    for _ in range(2):
        assert await status(originals, web) == f"fwd=stale; detail={Code.SOURCE_UNAVAILABLE}"
    assert len(web.asked) == 2, "the failure is remembered"


async def test_an_original_that_is_gone_is_not_used(gateways: MakeOriginals, web: Web) -> None:
    serve(web, "max-age=0, stale-if-error=60")
    originals = gateways(source(web))
    await status(originals, web)
    web.answers["/a"] = answer(404)
    with pytest.raises(NotFound):
        await status(originals, web)
    web.answers["/a"] = answer(200, PNG)
    with pytest.raises(NotFound):  # for some seconds
        await status(originals, web)
    assert await status(originals, web, again=True) == "fwd=request; fwd-status=200; stored"


async def test_must_revalidate_forbids_a_stale_original(gateways: MakeOriginals, web: Web) -> None:
    serve(web, "max-age=0, must-revalidate, stale-if-error=60")
    originals = gateways(source(web))
    await status(originals, web)
    web.answers["/a"] = answer(500)
    with pytest.raises(SourceUnavailable):
        await status(originals, web)


async def test_an_image_that_is_lost_is_fetched_again(
    gateways: MakeOriginals, web: Web, redis: RedisClient
) -> None:
    serve(web, "max-age=0")
    originals = gateways(source(web))
    image = (await originals.acquire(f"{web.url}/a", "default")).original.image
    await redis.execute("UNLINK", f"darkroom:image:{image}")
    assert await status(originals, web) == "fwd=stale; fwd-status=200; stored"


async def test_many_requests_on_many_gateways_cause_one_fetch(
    gateways: MakeOriginals, web: Web
) -> None:
    async def slowly(asked: Asked) -> bytes:
        await asyncio.sleep(0.2)
        return answer(200, PNG, cache_control="max-age=60")

    web.answers["/a"] = slowly
    four = [gateways(source(web)) for _ in range(4)]
    statuses = await asyncio.gather(*(status(one, web) for one in four for _ in range(8)))
    assert len(web.asked) == 1
    assert statuses.count("fwd=uri-miss; fwd-status=200; stored") == 1
    assert sum(one.endswith("; collapsed") for one in statuses) == 31


async def test_another_gateway_fetches_when_the_first_one_dies(
    gateways: MakeOriginals, web: Web, redis: RedisClient
) -> None:
    serve(web, "max-age=60")
    originals = gateways(source(web))
    address = (await originals.acquire(f"{web.url}/a", "default")).address
    await redis.execute("UNLINK", f"darkroom:origin:{address.key}")
    await originals.forget(await originals.acquire(f"{web.url}/a", "default"))
    # A claim that its owner does not renew any more.
    await redis.execute("SET", f"darkroom:origin:{address.key}:claim", "dead", "PX", 300)
    assert await status(originals, web) == "fwd=uri-miss; fwd-status=200; stored"


async def test_a_caller_who_leaves_ends_no_fetch_of_others(
    gateways: MakeOriginals, web: Web
) -> None:
    released = asyncio.Event()

    async def later(asked: Asked) -> bytes:
        await released.wait()
        return answer(200, PNG)

    web.answers["/a"] = later
    originals = gateways(source(web))
    one, other = (asyncio.create_task(status(originals, web)) for _ in range(2))
    await until(lambda: bool(web.asked))
    one.cancel()
    released.set()
    assert (await other).startswith("fwd=uri-miss; fwd-status=200")
    assert len(web.asked) == 1


async def test_one_project_does_not_see_the_originals_of_another(
    gateways: MakeOriginals, web: Web
) -> None:
    serve(web, "max-age=60")
    originals = gateways(source(web, 'projects = ["*"]'))
    ours = await originals.acquire(f"{web.url}/a", "default")
    theirs = await originals.acquire(f"{web.url}/a", "shop")
    assert ours.original.image != theirs.original.image
    assert len(web.asked) == 2


async def test_a_remembered_failure_tells_the_rest_of_its_wait(
    gateways: MakeOriginals, web: Web, redis: RedisClient
) -> None:
    web.answers["/a"] = answer(503, retry_after="40")
    originals = gateways(source(web))
    with pytest.raises(SourceUnavailable) as first:
        await status(originals, web)
    [name] = await redis.execute("KEYS", keys.origin_failure("*"))
    await redis.execute("PEXPIRE", name, 20_000)
    with pytest.raises(SourceUnavailable) as later:
        await status(originals, web)
    assert first.value.retry_after == 40
    assert 10 < (later.value.retry_after or 0) <= 20
    assert len(web.asked) == 1

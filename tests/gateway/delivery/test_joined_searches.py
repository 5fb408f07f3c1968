"""Renders that meet a search for the same result: one call, or one of their own."""

import asyncio
import re
from typing import Any

import pytest

from contracts.errors import DeadlineExceeded
from contracts.imaging import Blob, Render, Rendered
from services.gateway.rpc import Reply
from tests.attempts import attempts
from tests.gateway.delivery.one_worker import RENDERED, Suite
from tests.gateway.delivery.searches import PIPELINE, Stored, search_for
from tests.processes import until


async def test_a_request_joins_the_render_that_a_search_has_asked_for(suite: Suite) -> None:
    image = (await Stored(suite).image()).blob
    first = asyncio.create_task(suite.client.find_or_render(search_for(image.key), timeout=5))
    await until(lambda: bool(suite.worker.requests))
    second = search_for(image.key)
    assert await suite.client.find_or_render(second, timeout=5) is None
    assert not second.answered

    call = suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5)
    joined = asyncio.create_task(call)
    await asyncio.wait([joined], timeout=0.01)
    suite.worker.end.set()

    reply = await first
    assert reply is not None
    assert not reply.collapsed
    assert (await joined).collapsed
    assert len(suite.worker.requests) == 1


async def _stored(suite: Suite) -> Blob:
    """Return an image whose rendition is stored, so that no search asks a worker."""
    stored = Stored(suite)
    image = (await stored.image()).blob
    await stored.rendition(image.key)
    return image


async def _rendered_beside_a_search(suite: Suite, image: Blob) -> Reply[Rendered]:
    """Render an image while a search finds the same result; return the reply to the render."""
    found, rendered = await asyncio.gather(
        suite.client.find_or_render(search_for(image.key), timeout=5),
        suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=5),
    )
    assert found is None
    assert rendered.body == RENDERED
    return rendered


async def test_who_joins_a_search_that_finds_the_result_has_a_call_of_its_own(
    suite: Suite,
) -> None:
    image = await _stored(suite)
    suite.worker.end.set()
    rendered = await _rendered_beside_a_search(suite, image)
    # A collapsed render costs its caller nothing, and this one was rendered for its caller.
    assert not rendered.collapsed
    assert suite.collapsed == 0


async def test_a_call_of_its_own_has_the_rest_of_the_timeout(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await _stored(suite)
    find_or_render = suite.client._imaging.find_or_render

    async def find_late(*args: Any, **options: Any) -> Reply[Rendered]:
        await asyncio.sleep(0.3)
        return await find_or_render(*args, **options)

    monkeypatch.setattr(suite.client._imaging, "find_or_render", find_late)
    for attempt in attempts():
        searching = suite.client.find_or_render(search_for(image.key), timeout=5)
        search = asyncio.create_task(searching)
        await asyncio.sleep(0)
        # The worker never answers.
        with pytest.raises(DeadlineExceeded) as late:
            await suite.client.render(Render(source=image, pipeline=PIPELINE), timeout=0.7)
        assert await search is None
        with attempt:
            assert re.search(r"No answer within 0\.[0-4]", late.value.detail)


async def test_who_joined_a_search_joins_no_other_one(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one begins in the turn in which the first one ends, as under load."""
    image = await _stored(suite)
    suite.worker.end.set()
    find_or_render = suite.client._imaging.find_or_render
    later: list[asyncio.Task[object]] = []

    async def find_and_begin_another(*args: Any, **options: Any) -> Reply[Rendered]:
        try:
            return await find_or_render(*args, **options)
        finally:
            if not later:
                call = suite.client.find_or_render(search_for(image.key), timeout=5)
                later.append(asyncio.create_task(call))

    monkeypatch.setattr(suite.client._imaging, "find_or_render", find_and_begin_another)
    rendered = await _rendered_beside_a_search(suite, image)
    assert not rendered.collapsed
    assert len(suite.worker.requests) == 1
    assert await later[0] is None

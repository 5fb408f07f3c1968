"""The headers of a reply: whether its request waited for the render of an equal one."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from faststream.redis import RedisResponse

from contracts.imaging import Blob, Render, Rendered
from services.imaging import handlers
from services.imaging.pool.departures import Departed
from services.imaging.pool.executor import CallTimes
from services.imaging.rendering.outcomes import Finished
from services.imaging.settings import ImagingSettings
from services.runtime.capacity import Capacity
from services.runtime.rpc.discarded import HandedBack

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


@pytest.mark.parametrize("collapsed", [False, True])
async def test_a_reply_says_whether_its_request_waited_for_an_equal_render(
    collapsed: bool,
) -> None:
    rendered = Rendered(blob=BLOB, width=1, height=1, reused=True)
    coalescing: Any = AsyncMock()
    coalescing.render.return_value = Finished(rendered, collapsed=collapsed), CallTimes(0, 0)
    reply = await reply_of(coalescing)
    assert (reply.headers.get("x-collapsed") == "true") == collapsed


async def test_a_request_whose_call_departs_has_no_reply() -> None:
    coalescing: Any = AsyncMock()
    coalescing.render.side_effect = Departed
    with pytest.raises(HandedBack):
        await reply_of(coalescing)


async def reply_of(coalescing: Any) -> RedisResponse:
    """Have the handler answer a request."""
    return await handlers.render(
        Render(source=BLOB),
        Mock(headers={}, correlation_id="mine", raw_message={"data": b""}),
        renders=Mock(),
        coalescing=coalescing,
        settings=ImagingSettings(),
        peers=AsyncMock(),
        capacity=Capacity(1),
        carry=Mock(),
    )

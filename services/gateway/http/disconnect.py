"""Cancel a call when its HTTP client disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

ResultT = TypeVar("ResultT")


async def cancel_on_disconnect(request: Request, call: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return the result of `call`, which is cancelled when the client disconnects first.

    The request's body must have been read. Raises ClientDisconnect, and every exception of `call`.
    """
    work = asyncio.create_task(call)
    disconnect = asyncio.create_task(_wait_for_disconnect(request))
    try:
        await asyncio.wait({work, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        disconnect.cancel()
        await asyncio.gather(work, disconnect, return_exceptions=True)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
